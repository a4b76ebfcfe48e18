using System.Net;
using RaftKv.Client;

namespace RaftKv.Bench.Meters;

/// <summary>RaftKv's nodes, by their own word (<c>/v1/status</c>), and what Linux says of those that run on this machine.</summary>
public sealed class RaftKvMeter(NodeClient client, IReadOnlyList<ClientEndpoint> endpoints) : IServerMeter
{
    /// <inheritdoc/>
    public async Task<IReadOnlyList<ServerSample>> SampleAsync(CancellationToken cancellation)
    {
        ServerSample?[] samples = await Task.WhenAll(endpoints.Select(endpoint => SampleAsync(endpoint, cancellation)));
        return [.. samples.OfType<ServerSample>()];
    }

    private async Task<ServerSample?> SampleAsync(ClientEndpoint endpoint, CancellationToken cancellation)
    {
        try
        {
            NodeStatus status = await client.StatusAsync(endpoint, cancellation);
            return status.Process is { } process ? Compose(status, process, IsHere(endpoint) ? ProcessMeter.TryRead(process.Pid) : null) : new ServerSample(status.Node, null, null, null);
        }
        catch (NodeUnreachableException)
        {
            return null;
        }
    }

    private static ServerSample Compose(NodeStatus status, ProcessStatus process, ProcessFigures? figures) => new(
        status.Node, process.Pid, process.CpuMillis * 1000, process.ResidentBytes, figures?.DirtiedBytes, status.RaftLog?.Syncs, status.RaftLog?.WrittenBytes,
        process.AllocatedBytes, process.GcCollections.Sum(), process.GcPauseMillis, process.Gc);

    /// <summary>Only then is its process id one of ours.</summary>
    private static bool IsHere(ClientEndpoint endpoint) => endpoint.Host == "localhost" || (IPAddress.TryParse(endpoint.Host, out IPAddress? address) && IPAddress.IsLoopback(address));
}
