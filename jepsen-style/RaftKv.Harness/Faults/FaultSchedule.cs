using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Faults;

/// <summary>One fault of a run, before it happens.</summary>
/// <param name="Seed">Of its own choices: so that they do not depend on what other faults drew.</param>
internal sealed record PlannedFault(string Name, FaultTrack Track, TimeSpan Start, TimeSpan Duration, int Seed);

/// <summary>When which fault bites: drawn from the run's seed alone.</summary>
internal static class FaultSchedule
{
    /// <summary>Clients work undisturbed at the start, and at the end, when everything must come back.</summary>
    private static readonly TimeSpan CalmStart = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CalmEnd = TimeSpan.FromSeconds(5);
    private const double ShortestSeconds = 1.5;
    private const double LongestSeconds = 8;

    /// <summary>
    /// Each of <paramref name="faults"/> at least once, then by chance. On each track one after the other, a quarter of the time calm; the tracks overlap as they will. Throws
    /// <see cref="CommandException"/> when there is no time for all.
    /// </summary>
    public static IReadOnlyList<PlannedFault> Draw(IReadOnlyList<Fault> faults, TimeSpan time, int seed)
    {
        TimeSpan end = time - CalmEnd;
        List<PlannedFault> planned = [];
        foreach (IGrouping<FaultTrack, Fault> track in faults.GroupBy(fault => fault.Track))
        {
            Random random = new(Seeds.Of(seed, (int)track.Key));
            Fault[] kinds = [.. track];
            random.Shuffle(kinds);
            TimeSpan room = (end - CalmStart) / kinds.Length;
            if (room < TimeSpan.FromSeconds(2 * ShortestSeconds))
                throw new CommandException(ExitCode.Usage, FormattableString.Invariant($"--time {time.TotalSeconds}s: too short for {kinds.Length} {track.Key.ToString().ToLowerInvariant()} faults; give it {Math.Ceiling((CalmStart + CalmEnd).TotalSeconds + (2 * ShortestSeconds * kinds.Length))}s at least"));
            TimeSpan at = CalmStart;
            double longest = Math.Min(LongestSeconds, room.TotalSeconds / 1.5);
            for (int i = 0; at < end; i++)
            {
                Fault fault = kinds[i < kinds.Length ? i : random.Next(kinds.Length)];
                TimeSpan duration = TimeSpan.FromSeconds(ShortestSeconds + (random.NextDouble() * Math.Max(0, longest - ShortestSeconds)));
                if (at + duration > end && i >= kinds.Length) break;
                planned.Add(new PlannedFault(fault.Name, fault.Track, at, at + duration > end ? end - at : duration, random.Next()));
                at += duration * (1 + (random.NextDouble() * 2 / 3));
            }
        }

        return [.. planned.OrderBy(fault => fault.Start)];
    }
}
