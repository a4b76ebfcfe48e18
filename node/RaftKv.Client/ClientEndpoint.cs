using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace RaftKv.Client;

/// <summary>Where a node serves clients. Port 1…65535.</summary>
public sealed record ClientEndpoint(string Host, int Port)
{
    public Uri Url => new($"http://{this}/");

    /// <summary>Reads <c>host:port</c>, <c>[ipv6]:port</c>, and either with <c>http://</c> before it.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ClientEndpoint? endpoint)
    {
        const string Scheme = "http://";
        endpoint = null;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) rest = rest[Scheme.Length..].TrimEnd('/');
        int colon = rest.LastIndexOf(':');
        if (colon < 1 || !int.TryParse(rest[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port is 0 or > ushort.MaxValue) return false;
        string host = rest[..colon].ToString();
        if (host.StartsWith('[') && host.EndsWith(']')) host = host[1..^1];
        else if (host.Contains(':', StringComparison.Ordinal)) return false;
        if (Uri.CheckHostName(host) == UriHostNameType.Unknown) return false;
        endpoint = new ClientEndpoint(host, port);
        return true;
    }

    /// <summary>What <see cref="TryParse"/> reads, without the scheme.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");
}
