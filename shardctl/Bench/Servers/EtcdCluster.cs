using System.Diagnostics;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Bench.Servers;

/// <summary>Three etcd members with their default settings, but for a quota that lets a long load go on.</summary>
internal sealed class EtcdCluster : BenchCluster
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(2);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = AskTimeout };

    /// <param name="program">etcd.</param>
    /// <param name="directory">Made here.</param>
    public EtcdCluster(string name, string program, string directory) : base(name, directory)
    {
        PlaygroundNode[] nodes = PlaygroundNode.All(new PlaygroundSettings(Members, 1, Members, BenchPorts.First(Members)), directory);
        (string Name, string Address)[] cluster = [.. nodes.Select(node => (node.Name, node.Peer))];
        Servers = [.. nodes.Select(node => new BenchServer(node.Name, node.Client, node.LogFile, () => Start(program, node, cluster)))];
        Meter = new EtcdMeter(_http, () => [.. Servers.Select(server => new EtcdMember(server.Name, server.Endpoint, server.ProcessId))]);
    }

    public override IReadOnlyList<BenchServer> Servers { get; }

    public override IServerMeter Meter { get; }

    /// <summary>The first line of <c>etcd --version</c>. Throws <see cref="CommandException"/> when that is no etcd.</summary>
    public static async Task<string> VersionAsync(string program, CancellationToken cancellation) =>
        await EtcdProgram.VersionAsync(program, cancellation) ?? throw new CommandException(ExitCode.Usage, $"--etcd {program}: this is no etcd; install Debian's package etcd-server, or name the program");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _http.Dispose();
    }

    protected override Task<bool> IsReadyAsync(BenchServer server, CancellationToken cancellation) => EtcdProgram.IsHealthyAsync(_http, server.Endpoint, cancellation);

    protected override async Task<BenchServer?> LookForLeaderAsync(CancellationToken cancellation)
    {
        foreach (BenchServer server in Servers)
            if (await EtcdMeter.MetricAsync(_http, server.Endpoint, "etcd_server_is_leader", cancellation) == 1) return server;
        return null;
    }

    private static Process Start(string program, PlaygroundNode node, IReadOnlyList<(string Name, string Address)> cluster)
    {
        Directory.CreateDirectory(node.Directory);
        return LoggedProcess.Start(node.LogFile, EtcdProgram.Command(program, node.Name, Path.Combine(node.Directory, "data"), node.Client.ToString(), node.Peer, cluster));
    }
}
