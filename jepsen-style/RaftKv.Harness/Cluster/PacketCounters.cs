using System.Globalization;
using System.Text.RegularExpressions;

namespace RaftKv.Harness.Cluster;

/// <summary>What the kernel counted.</summary>
internal readonly record struct PacketCount(long Packets, long Bytes);

/// <summary>Reads what iptables and tc say of their counters.</summary>
internal static partial class PacketCounters
{
    /// <summary>The sum over all rules of a chain.</summary>
    /// <param name="said">By <c>iptables -nvxL CHAIN</c>: two lines of heading, then a rule a line that begins with its packets and bytes.</param>
    public static PacketCount OfChain(string said)
    {
        MatchCollection rules = Rule().Matches(said);
        return new PacketCount(rules.Sum(rule => Number(rule, "packets")), rules.Sum(rule => Number(rule, "bytes")));
    }

    /// <summary>Of a qdisc: packets that it held back because of its rate, and those that it dropped.</summary>
    /// <param name="said">By <c>tc -s qdisc show</c>.</param>
    public static (long HeldBack, long Dropped) OfQueue(string said) => Queue().Match(said) is { Success: true } queue ? (Number(queue, "over"), Number(queue, "dropped")) : (0, 0);

    private static long Number(Match match, string group) => long.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\s*(?<packets>\d+)\s+(?<bytes>\d+)\s+\S", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Rule();

    [GeneratedRegex(@"dropped (?<dropped>\d+), overlimits (?<over>\d+)", RegexOptions.ExplicitCapture)]
    private static partial Regex Queue();
}
