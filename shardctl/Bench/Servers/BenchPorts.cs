using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Bench.Servers;

/// <summary>Ports that nobody uses, below those that the system gives out by itself: a server that is started again must find its own free.</summary>
internal static class BenchPorts
{
    private const int Lowest = 20_000;
    private const int Highest = 30_000;

    /// <summary>The first server's port for clients, all ports of so many servers, laid out as the playground's, being free at this moment.</summary>
    public static int First(int servers)
    {
        while (true)
        {
            int first = Random.Shared.Next(Lowest, Highest);
            if (PlaygroundNode.All(new PlaygroundSettings(servers, 1, 1, first), "").All(node => LocalPorts.IsFree(node.ClientPort) && LocalPorts.IsFree(node.PeerPort))) return first;
        }
    }
}
