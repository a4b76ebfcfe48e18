namespace RaftKv.Checking;

/// <summary>How wrong the faults of a run have made nodes' clocks: a promise of time holds up to that.</summary>
/// <param name="FastestPerMille">The speed of the fastest: 1100 if it ran 10 % too fast. At least 1000.</param>
/// <param name="SlowestPerMille">That of the slowest. At most 1000.</param>
/// <param name="LostMicros">So much time can have passed unseen by a clock, at most.</param>
public sealed record ClockError(int FastestPerMille = ClockError.Right, int SlowestPerMille = ClockError.Right, long LostMicros = 0)
{
    private const int Right = 1_000;

    public static readonly ClockError None = new();

    /// <summary>Both may have happened.</summary>
    public ClockError And(ClockError other) => new(Math.Max(FastestPerMille, other.FastestPerMille), Math.Min(SlowestPerMille, other.SlowestPerMille), LostMicros + other.LostMicros);

    /// <summary>So long it can have been, when a clock says that it was <paramref name="micros"/>.</summary>
    public long AtMost(long micros) => (micros * Right / SlowestPerMille) + LostMicros;
}
