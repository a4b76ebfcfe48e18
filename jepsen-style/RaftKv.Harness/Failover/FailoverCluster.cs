using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Failover;

/// <summary>Who leads a cluster that is well: all members are up, each shard has one leader of whom all know, and all have applied the same.</summary>
/// <param name="Leader">Of most shards, if there are several.</param>
/// <param name="Led">The shards that it leads, by number from 0.</param>
/// <param name="Applied">How far all are, in words: equal words, no progress.</param>
internal sealed record Leadership(HarnessNode Leader, ImmutableArray<int> Led, string Applied)
{
    /// <summary>Whether nothing has happened in between.</summary>
    public bool IsSameAs(Leadership? other) => other is not null && Leader == other.Leader && Applied == other.Applied && Led.SequenceEqual(other.Led);
}

/// <summary>Three servers of a system whose failover is measured: processes of this machine, proxies of ours between them.</summary>
internal abstract class FailoverCluster : IAsyncDisposable
{
    public const int Members = 3;
    protected static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>What is the same at two looks so far apart has settled: longer than an election takes.</summary>
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(700);

    /// <summary>As in the tables.</summary>
    public abstract string System { get; }

    public abstract IReadOnlyList<HarnessNode> Nodes { get; }

    public abstract int Shards { get; }

    /// <summary>The stream of writes that is put on it, clients spread over all members.</summary>
    public abstract LoadPlan Load { get; }

    /// <summary>Every direction between a member and the others.</summary>
    public abstract IEnumerable<Link> LinksOf(HarnessNode node);

    /// <summary>Whether a member that was asked to stop has ended as it should.</summary>
    public abstract bool IsGracefulEnd(int exitCode);

    /// <summary>Returns who leads, when that has settled. Throws <see cref="NodeDiedException"/> if a member ends by itself, or they do not get well for a minute.</summary>
    public async Task<Leadership> SettledAsync(CancellationToken stop)
    {
        long deadline = Environment.TickCount64 + (long)StartPatience.TotalMilliseconds;
        Leadership? last = null;
        while (true)
        {
            Leadership? now = await LookAsync(stop);
            if (now is not null && now.IsSameAs(last)) return now;
            last = now;
            if (Nodes.Select(node => node.Surprise()).OfType<string>().FirstOrDefault() is { } surprise) throw new NodeDiedException($"{System}: {surprise}");
            if (Environment.TickCount64 > deadline) throw new NodeDiedException($"{System} is not well after {StartPatience.TotalSeconds} s; see {Nodes[0].LogFile}");
            await Task.Delay(now is null ? LookInterval : SettleTime, stop);
        }
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>Null while they are not well.</summary>
    protected abstract Task<Leadership?> LookAsync(CancellationToken stop);
}

/// <summary>
/// The stream: a put every two milliseconds, by turns of 250 clients, each of which has half a second for its put and then the next turn. So a new put is made every
/// two milliseconds also while others wait, and a gap is known to about that.
/// </summary>
internal static class FailoverLoad
{
    private const int Clients = 250;
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(500);

    public static LoadPlan Of(LoadProtocol protocol, IEnumerable<HarnessNode> nodes) => new()
    {
        Protocol = protocol,
        Endpoints = [.. nodes.Select(node => node.Client)],
        Clients = Clients,
        Connections = Clients,
        Keys = 10_000,
        Pace = Turn,
        RequestTimeout = Turn,
        Roams = true,
    };
}
