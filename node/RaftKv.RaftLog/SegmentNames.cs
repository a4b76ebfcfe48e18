using System.Globalization;

namespace RaftKv.RaftLog;

/// <summary>What the files of the raft log are called: a segment that counts, a spare one, and one that is being made.</summary>
internal static class SegmentNames
{
    public const string New = "segment.new";
    private const string Extension = ".log";
    private const string SparePrefix = "spare-";

    public static string Of(ulong sequence) => sequence.ToString("x16", CultureInfo.InvariantCulture) + Extension;

    public static bool IsSegment(string name) => name.EndsWith(Extension, StringComparison.Ordinal);

    /// <summary>The sequence in a segment's name; null when it is not made by <see cref="Of"/>.</summary>
    public static ulong? SequenceOf(string name) =>
        ulong.TryParse(name.AsSpan(0, name.Length - Extension.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong sequence) && Of(sequence) == name ? sequence : null;

    /// <summary>A spare's name; sequences do not repeat, and so neither do these.</summary>
    public static string SpareOf(ulong sequence) => SparePrefix + sequence.ToString("x16", CultureInfo.InvariantCulture);

    public static bool IsSpare(string name) => name.StartsWith(SparePrefix, StringComparison.Ordinal);
}
