using System.Diagnostics;

namespace RaftKv.Simulator;

/// <summary>The simulator's two commands.</summary>
internal static class Runs
{
    /// <summary>Runs seeds side by side, each in one thread; returns the exit code.</summary>
    public static int RunMany(ulong start, int count, int seconds, int jobs, string? mutant, bool untilFailure, SimTheme? theme)
    {
        SelectMutant(mutant);
        Stopwatch watch = Stopwatch.StartNew();
        Lock console = new();
        int passed = 0;
        int failed = 0;
        long operations = 0;
        long elections = 0;
        long faults = 0;
        long messages = 0;
        long snapshots = 0;
        long sleeps = 0;
        long changes = 0;
        (long Read, long Compacted) past = default;
        PlannedOutcomes planned = default;
        (long Refused, long Harmless) rot = default;
        ulong? firstFailure = null;
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = jobs };
        Parallel.For(0, count, parallel, (i, state) =>
        {
            ulong seed = start + (ulong)i;
            (SimResult? result, Exception? failure) = TryRun(seed, seconds, null, theme);
            lock (console)
            {
                if (failure is null)
                {
                    passed++;
                    operations += result!.Operations;
                    elections += result.Elections;
                    faults += result.Faults;
                    messages += result.Messages;
                    snapshots += result.Snapshots;
                    sleeps += result.Sleeps;
                    changes += result.MemberChanges;
                    planned += result.Planned;
                    rot = (rot.Refused + result.Rot.Refused, rot.Harmless + result.Rot.Harmless);
                    past = (past.Read + result.Past.Read, past.Compacted + result.Past.Compacted);
                    if (passed % 100 == 0) Console.WriteLine($"{passed} seeds, {watch.Elapsed.TotalSeconds:F0} s");
                    return;
                }

                failed++;
                if (firstFailure is null || seed < firstFailure) firstFailure = seed;
                Console.WriteLine($"seed {seed} FAILED: {failure.GetType().Name}: {Shorten(failure.Message)}");
                if (!untilFailure) Console.WriteLine($"  replay it with: make sim SEED={seed}{(theme is null ? "" : $" THEME={theme}")}");
                if (untilFailure) state.Stop();
            }
        });
        double simulated = (double)passed * seconds;
        Console.WriteLine($"{operations} operations, {messages} messages, {elections} elections, {snapshots} snapshots, {sleeps} sleeps, {changes} member changes, {past.Read} reads of the past and {past.Compacted} of what was compacted, {planned}, {rot.Refused} rotten logs refused and {rot.Harmless} harmless, {faults} faults; {simulated / watch.Elapsed.TotalSeconds:F0} simulated seconds per second");
        if (untilFailure)
        {
            Console.WriteLine(firstFailure is { } found ? $"caught by seed {found}, {passed} seeds passed before" : $"NOT caught in {passed} seeds");
            return failed > 0 ? 0 : 1;
        }

        Console.WriteLine($"{passed} passed, {failed} failed");
        return failed > 0 ? 1 : 0;
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
