using System.ComponentModel;
using System.Diagnostics;
using RaftKv.Client;

namespace RaftKv.Bench;

/// <summary>An etcd that is compared with: how it is started, and what its members say of themselves.</summary>
public static class EtcdProgram
{
    /// <summary>The largest quota that etcd recommends. It changes nothing but when writes are refused.</summary>
    private const string QuotaBytes = "8589934592";

    /// <summary>The first line of <c>etcd --version</c>; null when the program is no etcd.</summary>
    public static async Task<string?> VersionAsync(string program, CancellationToken cancellation)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string output = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            string line = output.Split('\n')[0].Trim();
            return line.StartsWith("etcd Version: ", StringComparison.Ordinal) ? line : null;
        }
        catch (Win32Exception)
        {
            return null; // There is no such program.
        }
    }

    /// <summary>A member with etcd's default settings, but for a quota that lets a long load go on. Addresses are <c>host:port</c>.</summary>
    /// <param name="listenPeer">Where it listens for the others.</param>
    /// <param name="cluster">Names and addresses at which members find each other; its own among them.</param>
    public static string[] Command(string program, string name, string dataDirectory, string client, string listenPeer, IReadOnlyList<(string Name, string Address)> cluster) =>
    [
        program, "--name", name, "--data-dir", dataDirectory, "--quota-backend-bytes", QuotaBytes,
        "--listen-client-urls", $"http://{client}", "--advertise-client-urls", $"http://{client}",
        "--listen-peer-urls", $"http://{listenPeer}", "--initial-advertise-peer-urls", $"http://{cluster.First(member => member.Name == name).Address}",
        "--initial-cluster", string.Join(',', cluster.Select(member => $"{member.Name}=http://{member.Address}")), "--initial-cluster-token", "raftkv-bench",
    ];

    /// <summary>Whether a member says that it serves.</summary>
    public static async Task<bool> IsHealthyAsync(HttpClient http, ClientEndpoint member, CancellationToken cancellation)
    {
        try
        {
            return (await http.GetStringAsync(new Uri(member.Url, "health"), cancellation)).Contains("\"true\"", StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return false;
        }
    }
}
