using System.Diagnostics;

namespace RaftKv.Simulator;

/// <summary>The simulator's two commands.</summary>
internal static class Runs
{
    /// <summary>artifacts/simulations of the repository that this build lies in.</summary>
    private static readonly string s_records = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "simulations"));

    /// <summary>
    /// Runs seeds side by side in ascending order, each in one thread, and goes on where an earlier run of the same build was stopped; returns the exit code.
    /// </summary>
    /// <param name="records">Where it is noted how far runs came; null: beside the build.</param>
    public static int RunMany(ulong start, int count, int seconds, int jobs, string? mutant, bool untilFailure, SimTheme? theme, bool fresh, string? records = null)
    {
        SelectMutant(mutant);
        ulong end = start + (ulong)count;
        SeedRecord? record = mutant is null && !untilFailure ? SeedRecord.Open(records ?? s_records, BuildIdentity.Name, theme, start, seconds, fresh) : null;
        ulong next = Math.Min(end, record?.Next ?? start);
        if (next > start) Console.WriteLine($"seeds {start} to {next - 1} were run before by this build, {record!.Failed.Count(seed => seed < next)} of them failed; going on behind them (FRESH=1, --fresh: from the beginning)");
        Stopwatch watch = Stopwatch.StartNew();
        Lock console = new();
        int passed = 0;
        SortedSet<ulong> failed = [.. (record?.Failed ?? new SortedSet<ulong>()).Where(seed => seed < next)];
        bool isOver = false;
        SimTotals totals = new();

        void Work()
        {
            while (true)
            {
                ulong seed;
                lock (console)
                {
                    if (isOver || next >= end) return;
                    seed = next++;
                }

                (SimResult? result, Exception? failure) = TryRun(seed, seconds, null, theme);
                lock (console)
                {
                    record?.OnRun(seed, failure is null);
                    if (failure is null)
                    {
                        passed++;
                        totals.Add(result!);
                        if (passed % 100 == 0) Console.WriteLine($"{passed} seeds, {watch.Elapsed.TotalSeconds:F0} s");
                        continue;
                    }

                    failed.Add(seed);
                    Console.WriteLine($"seed {seed} FAILED: {failure.GetType().Name}: {Shorten(failure.Message)}");
                    if (!untilFailure) Console.WriteLine($"  replay it with: make sim SEED={seed}{(theme is null ? "" : $" THEME={theme}")}");
                    isOver |= untilFailure;
                }
            }
        }

        ulong first = next;
        Task.WaitAll([.. Enumerable.Range(0, jobs).Select(_ => Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);
        Console.WriteLine($"{totals}; {(double)passed * seconds / watch.Elapsed.TotalSeconds:F0} simulated seconds per second");
        if (untilFailure)
        {
            Console.WriteLine(failed.Count > 0 ? $"caught by seed {failed.Min}, {passed} seeds passed before" : $"NOT caught in {passed} seeds");
            return failed.Count > 0 ? 0 : 1;
        }

        if (failed.Count > 0) Console.WriteLine($"failed: {string.Join(", ", failed)}");
        Console.WriteLine($"{count} seeds from {start} on{(theme is null ? "" : $", all about {theme}")}, {seconds} simulated seconds each, with the build of commit {BuildIdentity.Commit}{(first > start ? $"; {first - start} of them in earlier runs" : "")}");
        Console.WriteLine($"{count - failed.Count} passed, {failed.Count} failed");
        return failed.Count > 0 ? 1 : 0;
    }

    public static int Replay(ulong seed, int seconds, bool trace, string? mutant, SimTheme? theme)
    {
        SelectMutant(mutant);
        Stopwatch watch = Stopwatch.StartNew();
        using StreamWriter? output = trace ? new StreamWriter(Console.OpenStandardOutput(), bufferSize: 1 << 16) : null;
        (SimResult? result, Exception? failure) = TryRun(seed, seconds, output, theme);
        output?.Flush();
        Console.WriteLine(failure is null ? $"seed {seed}: {result}" : $"seed {seed} FAILED: {failure}");
        Console.Error.WriteLine($"{watch.Elapsed.TotalSeconds:F2} s");
        return failure is null ? 0 : 1;
    }

    /// <summary>Every exception counts as a finding: a clean run throws nothing.</summary>
    internal static (SimResult? Result, Exception? Failure) TryRun(ulong seed, int seconds, TextWriter? trace, SimTheme? theme = null)
    {
        try
        {
            return (new World(SimOptions.Draw(seed, seconds * 1_000_000L, theme), trace).Run(), null);
        }
        catch (Exception failure)
        {
            trace?.Flush();
            return (null, failure);
        }
    }

    private static void SelectMutant(string? name)
    {
        if (name is null) return;
#if MUTANTS
        Raft.Mutants.Active = Enum.Parse<Raft.Mutant>(name);
        Client.ClientMutants.Active = name;
#else
        throw new ArgumentException($"mutant {name}: this build has none; see make mutants");
#endif
    }

    private static string Shorten(string text) => text.Length > 2_000 ? text[..2_000] + "…" : text;
}

/// <summary>What happened in all clean runs together.</summary>
internal sealed class SimTotals
{
    private long _operations;
    private long _messages;
    private long _elections;
    private long _snapshots;
    private long _sleeps;
    private long _changes;
    private long _faults;
    private (long Read, long Compacted) _past;
    private long _staleReads;
    private (long Refused, long Harmless) _rot;
    private PlannedOutcomes _planned;

    public void Add(SimResult result)
    {
        _operations += result.Operations;
        _messages += result.Messages;
        _elections += result.Elections;
        _snapshots += result.Snapshots;
        _sleeps += result.Sleeps;
        _changes += result.MemberChanges;
        _faults += result.Faults;
        _planned += result.Planned;
        _rot = (_rot.Refused + result.Rot.Refused, _rot.Harmless + result.Rot.Harmless);
        _staleReads += result.StaleReads;
        _past = (_past.Read + result.Past.Read, _past.Compacted + result.Past.Compacted);
    }

    public override string ToString() =>
        $"{_operations} operations, {_messages} messages, {_elections} elections, {_snapshots} snapshots, {_sleeps} sleeps, {_changes} member changes, {_past.Read} reads of the past and {_past.Compacted} of what was compacted, {_staleReads} stale reads, {_planned}, {_rot.Refused} rotten logs refused and {_rot.Harmless} harmless, {_faults} faults";
}
