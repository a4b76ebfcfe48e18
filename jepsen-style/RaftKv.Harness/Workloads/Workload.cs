using RaftKv.Checking.Histories;
using RaftKv.Harness.Clients;

namespace RaftKv.Harness.Workloads;

/// <summary>What clients do, and how what they were answered is judged: a file for each.</summary>
internal abstract class Workload
{
    /// <summary>As it is typed.</summary>
    public abstract string Name { get; }

    /// <summary>What it shows, in a sentence.</summary>
    public abstract string Summary { get; }

    /// <summary>The kinds of calls that must have succeeded for the run to say anything.</summary>
    public abstract IReadOnlyList<CallKind> Needs { get; }

    /// <summary>How many of a kind in <see cref="Needs"/>, in a run of <paramref name="seconds"/>: fewer would prove nothing.</summary>
    public virtual int LeastSuccesses(CallKind kind, double seconds) => Math.Max(5, (int)seconds);

    /// <summary>Before the first step, with the cluster healthy.</summary>
    public virtual Task PrepareAsync(Worker worker, CancellationToken stop) => Task.CompletedTask;

    /// <summary>What one client does next: mostly one call.</summary>
    public abstract Task StepAsync(Worker worker, CancellationToken stop);

    /// <summary>After the last step, with the cluster healed: reads whatever must still be there. Returns whether all of it could be read.</summary>
    public abstract Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop);

    /// <summary>Judges a whole history, by what stands in it alone: it may be that of another run.</summary>
    public abstract IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history);
}

/// <summary>One client at work.</summary>
/// <param name="Index">From 0.</param>
/// <param name="Client">Its usual one.</param>
/// <param name="ByNode">One for each node, that asks no other.</param>
/// <param name="Random">Of the run's seed and the index.</param>
internal sealed record Worker(int Index, ApiClient Client, IReadOnlyList<ApiClient> ByNode, Random Random) : IDisposable
{
    /// <summary>One that asks a node chosen by chance, and no other.</summary>
    public ApiClient AtAnyNode() => ByNode[Random.Next(ByNode.Count)];

    public void Dispose()
    {
        Client.Dispose();
        foreach (ApiClient client in ByNode) client.Dispose();
    }
}
