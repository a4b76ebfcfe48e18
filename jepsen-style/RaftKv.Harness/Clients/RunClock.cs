using System.Diagnostics;

namespace RaftKv.Harness.Clients;

/// <summary>The one clock of a run: microseconds since it began, monotonic, of this process alone. Thread-safe.</summary>
internal sealed class RunClock
{
    private readonly long _start = Stopwatch.GetTimestamp();

    public long NowMicros => (long)Stopwatch.GetElapsedTime(_start).TotalMicroseconds;

    public TimeSpan Now => Stopwatch.GetElapsedTime(_start);
}
