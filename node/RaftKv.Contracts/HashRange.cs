using System.Globalization;

namespace RaftKv.Contracts;

/// <summary>
/// A half-open range [Start, End) of the hash space [0, 2^64), never empty: Start &lt; End, where End = 0 means 2^64.
/// The default value is the full range. Ranges do not wrap around.
/// </summary>
public readonly record struct HashRange
{
    /// <summary>The whole hash space, [0, 2^64).</summary>
    public static readonly HashRange Full = new(0, 0);

    /// <exception cref="ArgumentException">The range is empty or wraps: end ≠ 0 and start ≥ end.</exception>
    public HashRange(ulong start, ulong end)
    {
        if (end != 0 && start >= end) throw new ArgumentException($"hash range [{start:x16}, {end:x16}) is empty or wraps around");
        Start = start;
        End = end;
    }

    public ulong Start { get; }

    /// <summary>Exclusive; 0 means 2^64.</summary>
    public ulong End { get; }

    /// <summary>The largest hash inside: End − 1, which for End = 0 is 2^64 − 1.</summary>
    public ulong Last => unchecked(End - 1);

    public bool IsFull => Start == 0 && End == 0;

    public bool Contains(ulong hash) => Start <= hash && hash <= Last;

    /// <summary>Whether every hash of <paramref name="other"/> is also in this range.</summary>
    public bool Contains(HashRange other) => Start <= other.Start && other.Last <= Last;

    /// <summary>Whether some hash is in both ranges.</summary>
    public bool Overlaps(HashRange other) => Start <= other.Last && other.Start <= Last;

    /// <summary>The hashes that are in both ranges, or null when there are none.</summary>
    public HashRange? Intersect(HashRange other) =>
        Overlaps(other) ? new HashRange(Math.Max(Start, other.Start), unchecked(Math.Min(Last, other.Last) + 1)) : null;

    /// <summary>
    /// The full range in <paramref name="parts"/> ≥ 1 ranges, ascending, which tile it; part i (from 0) starts at
    /// ⌊i × 2^64 / parts⌋, so sizes differ by at most 1.
    /// </summary>
    public static HashRange[] SplitFull(int parts)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(parts, 1);
        var ranges = new HashRange[parts];
        for (int i = 0; i < parts; i++) ranges[i] = new HashRange(Boundary(i, parts), Boundary(i + 1, parts));
        return ranges;
    }

    /// <summary>Part <paramref name="i"/>'s start; for i = parts it is 2^64, which as an End is written 0.</summary>
    private static ulong Boundary(int i, int parts) => unchecked((ulong)((UInt128)i * (UInt128.One << 64) / (UInt128)parts));

    /// <summary>A bound as JSON and people see it: exactly 16 lower-case hex digits.</summary>
    public static string FormatBound(ulong bound) => bound.ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>Reads what <see cref="FormatBound"/> writes: exactly 16 hex digits, of either case.</summary>
    public static bool TryParseBound(string? text, out ulong bound)
    {
        bound = 0;
        return text is { Length: 16 } && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bound);
    }

    /// <summary><c>[0000000000000000, 2000000000000000)</c></summary>
    public override string ToString() => $"[{FormatBound(Start)}, {FormatBound(End)})";
}
