using System.Globalization;
using System.Net;

namespace RaftKv.Harness.Cluster;

/// <summary>What becomes of some packets in the namespace of one node: a rule of iptables.</summary>
/// <param name="Node">By its index.</param>
/// <param name="Words">All behind <c>iptables -A CHAIN</c>.</param>
internal sealed record PacketRule(int Node, string[] Words)
{
    public static readonly string[] Drop = ["-j", "DROP"];

    /// <summary>Whoever sent the packet takes its connection for reset by the other side.</summary>
    public static readonly string[] Reset = ["-j", "REJECT", "--reject-with", "tcp-reset"];

    /// <summary>Drops some, by chance.</summary>
    public static string[] Lose(double probability) => ["-m", "statistic", "--mode", "random", "--probability", probability.ToString(CultureInfo.InvariantCulture), .. Drop];

    /// <summary>
    /// All from one node to another: on their way out to the proxy through which it dials the other, and on their way in from the proxy through which the other dials it. Between the proxies and those
    /// who are dialled there is no rule, for there packets do not tell whose they are.
    /// </summary>
    public static IEnumerable<PacketRule> Between(ClusterAddresses addresses, int from, int to, string[] verdict) =>
        [new(from, [.. To(addresses.Proxy(from, to)), .. verdict]), new(to, [.. From(addresses.Proxy(to, from)), .. verdict])];

    /// <summary>All between clients and a node, in both directions.</summary>
    public static IEnumerable<PacketRule> OfClients(ClusterAddresses addresses, int node, string[] verdict) =>
        [new(node, [.. To(addresses.Client(node)), .. verdict]), new(node, [.. From(addresses.Client(node)), .. verdict])];

    private static string[] To(IPEndPoint end) => ["-p", "tcp", "-d", $"{end.Address}", "--dport", string.Create(CultureInfo.InvariantCulture, $"{end.Port}")];

    private static string[] From(IPEndPoint end) => ["-p", "tcp", "-s", $"{end.Address}", "--sport", string.Create(CultureInfo.InvariantCulture, $"{end.Port}")];
}
