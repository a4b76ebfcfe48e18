using System.Globalization;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Clients;

namespace RaftKv.Harness.Workloads;

/// <summary>What clients do, and how what they were answered is judged: a file for each.</summary>
internal abstract class Workload
{
    private long _lastValue;

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

    /// <summary>A value that no other write of the run has. Thread-safe.</summary>
    protected string NextValue() => Interlocked.Increment(ref _lastValue).ToString(CultureInfo.InvariantCulture);

    /// <summary>Makes a call for each, one after the other, up to the first that is not answered. Returns whether all were.</summary>
    protected static async Task<bool> AreAnsweredAsync<T>(IEnumerable<T> each, Func<T, Task<ClientCall>> call)
    {
        foreach (T one in each) if ((await call(one)).Outcome != OutcomeKind.Ok) return false;
        return true;
    }

    /// <summary>Gets each key, as <see cref="AreAnsweredAsync"/>.</summary>
    protected static Task<bool> AreReadAsync(Worker worker, IEnumerable<string> keys, CancellationToken stop) => AreAnsweredAsync(keys, key => worker.Client.GetAsync(key, stop: stop));

    /// <summary>Of the keys that are named in a history: each up to its first slash, in ordinal order.</summary>
    protected static IEnumerable<string> PrefixesIn(IReadOnlyList<ClientCall> history) =>
        history.SelectMany(call => call.Operations).Select(operation => operation.Key[..(operation.Key.IndexOf('/', StringComparison.Ordinal) + 1)]).Distinct().Order(StringComparer.Ordinal);

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
