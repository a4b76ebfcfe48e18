using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace RaftKv.Harness.Cluster;

/// <summary>The addresses of a run with namespaces, 10.x.y.0/24: the i-th node at .i, counted from 1, the harness with its clients and proxies at .254.</summary>
internal readonly partial record struct AddressBlock(int Second, int Third)
{
    public const int PrefixLength = 24;
    private const int FirstSecond = 100;
    private const int EndSecond = 228;
    private const int Count = (EndSecond - FirstSecond) * 256;

    public IPAddress OfHarness => At(254);

    public IPAddress OfNode(int index) => At(index + 1);

    /// <summary>The first one from a number on, round the clock, in which nothing of <paramref name="inUse"/> lies; null if there is none.</summary>
    /// <param name="inUse">What <c>ip address</c> and <c>ip route</c> say: any address or network of 10.0.0.0/8 in it is taken.</param>
    public static AddressBlock? FirstFree(int number, string inUse)
    {
        (uint Address, int Length)[] taken = [.. Network().Matches(inUse).Select(NetworkIn).OfType<(uint, int)>()];
        for (int tried = 0; tried < Count; tried++)
        {
            int at = (int)(((uint)number + (uint)tried) % Count);
            AddressBlock block = new(FirstSecond + (at / 256), at % 256);
            if (!taken.Any(network => block.Overlaps(network.Address, network.Length))) return block;
        }

        return null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"10.{Second}.{Third}.0/{PrefixLength}");

    private IPAddress At(int last) => new([10, (byte)Second, (byte)Third, (byte)last]);

    private bool Overlaps(uint address, int length)
    {
        uint own = NumberOf(At(0));
        return (own ^ address) >> (32 - Math.Min(length, PrefixLength)) == 0;
    }

    private static (uint Address, int Length)? NetworkIn(Match match) =>
        IPAddress.TryParse(match.Groups["address"].ValueSpan, out IPAddress? address) ? (NumberOf(address), match.Groups["length"] is { Success: true } length ? int.Parse(length.ValueSpan, CultureInfo.InvariantCulture) : 32) : null;

    private static uint NumberOf(IPAddress address) => BitConverter.ToUInt32([.. address.GetAddressBytes().Reverse()]);

    [GeneratedRegex(@"(?<![\d.])(?<address>10\.\d{1,3}\.\d{1,3}\.\d{1,3})(/(?<length>\d{1,2}))?", RegexOptions.ExplicitCapture)]
    private static partial Regex Network();
}
