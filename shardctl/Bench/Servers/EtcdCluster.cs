using System.Diagnostics;
using RaftKv.Bench.Meters;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Bench.Servers;

/// <summary>Three etcd members with their default settings, but for a quota that lets a long load go on.</summary>
internal sealed class EtcdCluster : BenchCluster
{
    /// <summary>The largest that etcd recommends. It changes nothing but when writes are refused.</summary>
    private const string QuotaBytes = "8589934592";
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(2);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = AskTimeout };

    /// <param name="program">etcd.</param>
    /// <param name="directory">Made here.</param>
    public EtcdCluster(string name, string program, string directory) : base(name, directory)
    {
        PlaygroundNode[] nodes = PlaygroundNode.All(new PlaygroundSettings(Members, 1, Members, BenchPorts.First(Members)), directory);
        string cluster = string.Join(',', nodes.Select(node => $"{node.Name}=http://{node.Peer}"));
        Servers = [.. nodes.Select(node => new BenchServer(node.Name, node.Client, node.LogFile, () => Start(program, node, cluster)))];
        Meter = new EtcdMeter(_http, () => [.. Servers.Select(server => new EtcdMember(server.Name, server.Endpoint, server.ProcessId))]);
    }

    public override IReadOnlyList<BenchServer> Servers { get; }

    public override IServerMeter Meter { get; }

    /// <summary>The first line of <c>etcd --version</c>. Throws <see cref="CommandException"/> when that is no etcd.</summary>
    public static async Task<string> VersionAsync(string program, CancellationToken cancellation)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string output = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            string line = output.Split('\n')[0].Trim();
            if (line.StartsWith("etcd Version: ", StringComparison.Ordinal)) return line;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // There is no such program.
        }

        throw new CommandException(ExitCode.Usage, $"--etcd {program}: this is no etcd; install Debian's package etcd-server, or name the program");
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _http.Dispose();
    }

    protected override async Task<bool> IsReadyAsync(BenchServer server, CancellationToken cancellation)
    {
        try
        {
            return (await _http.GetStringAsync(new Uri(server.Endpoint.Url, "health"), cancellation)).Contains("\"true\"", StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return false;
        }
    }

    protected override async Task<BenchServer?> LookForLeaderAsync(CancellationToken cancellation)
    {
        foreach (BenchServer server in Servers)
            if (await EtcdMeter.MetricAsync(_http, server.Endpoint, "etcd_server_is_leader", cancellation) == 1) return server;
        return null;
    }

    private static Process Start(string program, PlaygroundNode node, string cluster)
    {
        Directory.CreateDirectory(node.Directory);
        return LoggedProcess.Start(
            node.LogFile, program, "--name", node.Name, "--data-dir", Path.Combine(node.Directory, "data"), "--quota-backend-bytes", QuotaBytes,
            "--listen-client-urls", $"http://{node.Client}", "--advertise-client-urls", $"http://{node.Client}",
            "--listen-peer-urls", $"http://{node.Peer}", "--initial-advertise-peer-urls", $"http://{node.Peer}",
            "--initial-cluster", cluster, "--initial-cluster-token", "raftkv-bench");
    }
}
