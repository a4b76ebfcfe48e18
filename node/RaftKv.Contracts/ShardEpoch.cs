using System.Globalization;

namespace RaftKv.Contracts;

/// <summary>
/// Which state of a shard a message speaks of (design §2). Both parts are ≥ 1 in a shard that exists and only grow.
/// Requests are checked on <see cref="Version"/> only, operators on both (design §8); hence there is no order.
/// </summary>
/// <param name="Version">Grows with each split or merge.</param>
/// <param name="ConfVersion">Grows with each membership change.</param>
public readonly record struct ShardEpoch(ulong Version, ulong ConfVersion)
{
    /// <summary>The epoch of a shard made from the initial map: 1.1.</summary>
    public static readonly ShardEpoch Initial = new(1, 1);

    /// <summary>The text of the RaftKv-Epoch header: <c>version.conf</c>, both decimal.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Version}.{ConfVersion}");

    /// <summary>Reads what <see cref="ToString"/> writes: two decimal numbers, no sign, no space.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ShardEpoch epoch)
    {
        epoch = default;
        int dot = text.IndexOf('.');
        if (dot < 0) return false;
        if (!ulong.TryParse(text[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out ulong version)) return false;
        if (!ulong.TryParse(text[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ulong confVersion)) return false;
        epoch = new ShardEpoch(version, confVersion);
        return true;
    }
}
