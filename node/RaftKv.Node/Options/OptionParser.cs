using System.Globalization;
using System.Net;
using RaftKv.Contracts;

namespace RaftKv.Node.Options;

/// <summary>Turns the given texts into <see cref="NodeOptions"/>, or says which is wrong and why.</summary>
internal static class OptionParser
{
    public const int MaxElectionPriority = 10;

    private const int MaxShards = 4096;
    private const long MaxEntries = 1_000_000_000;

    /// <summary>What a node's inbox takes: more would be dropped on arrival.</summary>
    private const long MaxInflightBytes = 64L * Limits.Mebi;

    /// <summary>Null when help was asked for. Throws <see cref="OptionException"/>.</summary>
    public static NodeOptions? Parse(string[] arguments, Func<string, string?> variable) =>
        OptionSources.Gather(arguments, variable) is { } given ? Check(new Reader(given)) : null;

    /// <summary>The members that a list of NAME=HOST:PORT names; what is none is left out.</summary>
    public static IEnumerable<ClusterMember> ParseMembers(IEnumerable<string> lines) => lines.Select(TryParseMember).OfType<ClusterMember>();

    /// <summary>What --advertise-peer and the list of members say of this node, if it is not the same; null if it is, or nothing to compare.</summary>
    public static string? ContradictionIn(IEnumerable<ClusterMember> members, NodeOptions options)
    {
        if (options.AdvertisePeer is not { } advertised || members.FirstOrDefault(member => member.Name == options.Name) is not { } listed) return null;
        return string.Equals(advertised.Address, listed.Address, StringComparison.OrdinalIgnoreCase)
            ? null
            : $"'{advertised.Address}' is not where the others reach this node, which is '{listed.Address}' by the list of members";
    }

    private static NodeOptions Check(Reader read)
    {
        string name = read.Text(OptionTable.Name) ?? throw new OptionException("--name is missing");
        if (!NodeIdentity.IsValidName(name)) throw read.Wrong(OptionTable.Name, $"'{name}' is not 1 to {NodeIdentity.MaxNameChars} of A-Z a-z 0-9 . _ -, beginning with a letter or digit");
        string directory = read.Text(OptionTable.DataDirectory) ?? throw new OptionException("--data-dir is missing");
        if (directory.Length == 0) throw read.Wrong(OptionTable.DataDirectory, "it is empty");

        NodeOptions defaults = new() { Name = name, DataDirectory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)), ListenClient = new(IPAddress.Loopback, 2379), ListenPeer = new(IPAddress.Loopback, 2380) };
        NodeOptions options = defaults with
        {
            ListenClient = read.EndPoint(OptionTable.ListenClient) ?? defaults.ListenClient,
            ListenPeer = read.EndPoint(OptionTable.ListenPeer) ?? defaults.ListenPeer,
            AdvertiseClient = CheckUrl(read),
            AdvertisePeer = CheckAdvertisePeer(read, name),
            InitialCluster = CheckCluster(read, name),
            InitialShards = (int)(read.Number(OptionTable.InitialShards, 1, MaxShards) ?? defaults.InitialShards),
            LeaseReads = CheckLeaseReads(read),
            ClusterToken = read.Text(OptionTable.ClusterToken) ?? defaults.ClusterToken,
            TickMillis = (int)(read.Number(OptionTable.TickMillis, 1, 10_000) ?? defaults.TickMillis),
            HeartbeatMillis = (int)(read.Number(OptionTable.HeartbeatMillis, 1, 60_000) ?? defaults.HeartbeatMillis),
            ElectionTimeoutMillis = (int)(read.Number(OptionTable.ElectionTimeoutMillis, 10, 600_000) ?? defaults.ElectionTimeoutMillis),
            ElectionPriority = (int)(read.Number(OptionTable.ElectionPriority, 0, MaxElectionPriority) ?? defaults.ElectionPriority),
            DiskStallTimeoutMillis = (int)(read.Number(OptionTable.DiskStallTimeoutMillis, 10, 20_000) ?? defaults.DiskStallTimeoutMillis),
            TimeScalePercent = (int)(read.Number(OptionTable.TimeScalePercent, 10, 10_000) ?? defaults.TimeScalePercent),
            MaxInflightBytes = (int)(read.Number(OptionTable.MaxInflightBytes, 64 * Limits.Kibi, MaxInflightBytes) ?? defaults.MaxInflightBytes),
            SegmentBytes = read.Number(OptionTable.SegmentBytes, 64 * Limits.Kibi, Limits.Gibi) ?? defaults.SegmentBytes,
            SnapshotEntries = read.Number(OptionTable.SnapshotEntries, 1, MaxEntries) ?? defaults.SnapshotEntries,
            SnapshotBytes = read.Number(OptionTable.SnapshotBytes, 64 * Limits.Kibi, 1024L * Limits.Gibi) ?? defaults.SnapshotBytes,
            CatchUpEntries = read.Number(OptionTable.CatchUpEntries, 0, MaxEntries) ?? defaults.CatchUpEntries,
            Limits = ReadLimits(read),
            LogLevel = read.Level(OptionTable.LogLevel) ?? defaults.LogLevel,
            LogFormat = CheckLogFormat(read),
            OtlpEndpoint = CheckCollector(read),
        };
        CheckTimes(options);
        if (options.InitialCluster is { } members && ContradictionIn(members, options) is { } contradiction) throw read.Wrong(OptionTable.AdvertisePeer, contradiction);
        int nodes = options.InitialCluster?.Count ?? 1;
        long? replicas = options.InitialCluster is null ? read.Number(OptionTable.Replicas, 1, int.MaxValue) : read.Number(OptionTable.Replicas, 1, nodes);
        return options with { Replicas = (int?)replicas };
    }

    private static Limits ReadLimits(Reader read) => Limits.Default with
    {
        MaxConnections = (int)(read.Number(OptionTable.MaxConnections, 1, 1_000_000) ?? Limits.Default.MaxConnections),
        MaxValueBytes = (int)(read.Number(OptionTable.MaxValueBytes, 1, Limits.MaxValueBytesCeiling) ?? Limits.Default.MaxValueBytes),
        MinFreeDiskBytes = read.Number(OptionTable.MinFreeDiskBytes, 0, long.MaxValue) ?? Limits.Default.MinFreeDiskBytes,
        MinFreeDiskPercent = (int)(read.Number(OptionTable.MinFreeDiskPercent, 0, 99) ?? Limits.Default.MinFreeDiskPercent),
    };

    private static void CheckTimes(NodeOptions options)
    {
        if (options.TickMillis > options.HeartbeatMillis)
            throw new OptionException($"--tick-ms {options.TickMillis} must not be above --heartbeat-ms {options.HeartbeatMillis}");
        if (options.HeartbeatMillis * 2 > options.ElectionTimeoutMillis)
            throw new OptionException($"--election-timeout-ms {options.ElectionTimeoutMillis} must be at least twice --heartbeat-ms {options.HeartbeatMillis}");
    }

    private static string? CheckUrl(Reader read)
    {
        string? url = read.Text(OptionTable.AdvertiseClient);
        if (url is null || (Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https")) return url;
        throw read.Wrong(OptionTable.AdvertiseClient, $"'{url}' is no http URL");
    }

    private static bool CheckLeaseReads(Reader read) => read.Text(OptionTable.LeaseReads) switch
    {
        null or "false" => false,
        "true" => true,
        var text => throw read.Wrong(OptionTable.LeaseReads, $"'{text}' is neither true nor false"),
    };

    private static LogFormat CheckLogFormat(Reader read) => read.Text(OptionTable.LogFormat) switch
    {
        null or "text" => LogFormat.Text,
        "json" => LogFormat.Json,
        var text => throw read.Wrong(OptionTable.LogFormat, $"'{text}' is neither text nor json"),
    };

    private static Uri? CheckCollector(Reader read)
    {
        if (read.Text(OptionTable.OtlpEndpoint) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && url.Query.Length == 0 && url.Fragment.Length == 0) return url;
        throw read.Wrong(OptionTable.OtlpEndpoint, $"'{text}' is no http URL without a query");
    }

    private static ClusterMember? CheckAdvertisePeer(Reader read, string name)
    {
        if (read.Text(OptionTable.AdvertisePeer) is not { } address) return null;
        return TryParseMember($"{name}={address}") ?? throw read.Wrong(OptionTable.AdvertisePeer, $"'{address}' is not HOST:PORT");
    }

    private static List<ClusterMember>? CheckCluster(Reader read, string name)
    {
        if (read.Text(OptionTable.InitialCluster) is not { } text) return null;
        List<ClusterMember> members = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
            members.Add(TryParseMember(part) ?? throw read.Wrong(OptionTable.InitialCluster, $"'{part}' is not NAME=HOST:PORT"));

        try
        {
            NodeIdentity.IdsOf([.. members.Select(member => member.Name)]);
        }
        catch (ArgumentException exception)
        {
            throw read.Wrong(OptionTable.InitialCluster, exception.Message);
        }

        if (members.All(member => member.Name != name)) throw read.Wrong(OptionTable.InitialCluster, $"this node, {name}, is not among them");
        return members;
    }

    private static ClusterMember? TryParseMember(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 1 || !TrySplit(text[(equals + 1)..], out string host, out int port) || port == 0) return null;
        return new ClusterMember(text[..equals], host, port);
    }

    /// <summary>Splits HOST:PORT; an IPv6 address stands in brackets. Port 0…65535.</summary>
    private static bool TrySplit(string text, out string host, out int port)
    {
        int colon = text.LastIndexOf(':');
        host = colon < 0 ? "" : text[..colon];
        port = 0;
        if (host.StartsWith('[') && host.EndsWith(']')) host = host[1..^1];
        else if (host.Contains(':', StringComparison.Ordinal)) return false;
        return host.Length > 0 && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= IPEndPoint.MaxPort;
    }

    /// <summary>Reads typed values; a message names the source of the wrong one.</summary>
    private sealed class Reader(Dictionary<string, GivenOption> given)
    {
        public string? Text(OptionName name) => given.TryGetValue(name.Name, out GivenOption option) ? option.Text : null;

        public OptionException Wrong(OptionName name, string why) => new($"{given[name.Name].Source}: {why}");

        public long? Number(OptionName name, long min, long max)
        {
            if (Text(name) is not { } text) return null;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max) return number;
            throw Wrong(name, $"'{text}' is not a number from {min} to {max}");
        }

        public IPEndPoint? EndPoint(OptionName name)
        {
            if (Text(name) is not { } text) return null;
            if (!TrySplit(text, out string host, out int port)) throw Wrong(name, $"'{text}' is not IP:PORT");
            if (host == "localhost") return new IPEndPoint(IPAddress.Loopback, port);
            return IPAddress.TryParse(host, out IPAddress? address) ? new IPEndPoint(address, port) : throw Wrong(name, $"'{host}' is no IP address of this machine");
        }

        public LogLevel? Level(OptionName name)
        {
            if (Text(name) is not { } text) return null;
            return LogSwitch.Parse(text) ?? throw Wrong(name, $"'{text}' is none of {LogSwitch.Allowed}");
        }
    }
}
