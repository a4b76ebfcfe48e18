namespace RaftKv.Raft.Tests;

/// <summary>Virtual time, shared by the replicas of a cluster. It moves only when a test says so.</summary>
internal sealed class Clock
{
    public long Micros { get; private set; } = 1_000_000;

    public void Advance(long millis) => Micros += millis * 1000;

    public void AdvanceMicros(long micros) => Micros += micros;
}
