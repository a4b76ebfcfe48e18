using System.CommandLine;
using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl status</c>: the nodes and the shards, as they say themselves. Exit code 5 if something is wrong.</summary>
internal static class StatusVerb
{
    public static Command Create(Screen screen)
    {
        Command command = new("status", "Show nodes, shards, leaders, terms, sizes and how far replicas lag. Asks every endpoint; exit code 5 if a node or a leader is missing.");
        command.SetAction((result, cancellation) => RunAsync(screen, result, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, ParseResult result, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        using NodeClient client = new(GlobalOptions.TimeoutOf(result));
        StatusOutput status = ClusterReport.Compose(await ClusterReport.AskAsync(client, endpoints, cancellation));
        if (isJson) screen.Line(OutputJson.Write(status, OutputJson.OfCluster.StatusOutput));
        else Show(screen, status);
        string[] unasked = [.. status.Nodes.Where(node => node.State == ClusterReport.Unknown).Select(node => node.Name)];
        if (unasked.Length > 0 && !isJson) screen.Line($"\nNot asked: {string.Join(", ", unasked)}. Name all nodes in --endpoints or {GlobalOptions.EndpointsVariable} to see them.");
        if (!status.Healthy) throw new CommandException(ExitCode.Unhealthy, string.Join("; ", status.Problems));
        return ExitCode.Ok;
    }

    private static void Show(Screen screen, StatusOutput status)
    {
        screen.Table(["node", "state", "clients", "peers", "leads", "replicas", "on disk", "up for"], [.. status.Nodes.Select(node => NodeRow(node, screen.IsTerminal))], "peers", "replicas", "on disk");
        screen.Line();
        screen.Table(["shard", "range", "epoch", "leader", "term", "commit", "revision", "data", "on disk", "replicas", "lag"], [.. status.Shards.Select(ShardRow)], "replicas", "epoch", "on disk", "revision", "term", "data");
    }

    private static Cell[] NodeRow(NodeOutput node, bool isTerminal) =>
    [
        new(node.Name, "bold"), new(node.State, node.State switch { ClusterReport.Up => "green", ClusterReport.Down => "red", _ => "yellow" }),
        isTerminal ? AddressOf(node.ClientUrl) : Known(node.ClientUrl), node.PeerAddress, Number(node.Leads), Number(node.Replicas), Size(node.FileBytes), Duration(node.UptimeMillis),
    ];

    private static Cell[] ShardRow(ShardOutput shard) =>
    [
        new($"{shard.Id}", "bold"), $"{Short(shard.Start)}-{Short(shard.End)}", $"{shard.Version}.{shard.ConfVersion}", shard.Leader is null ? new Cell("none", "red") : shard.Leader,
        Number(shard.Term), Number(shard.Commit), Number(shard.Revision), Size(shard.DataBytes), Size(shard.FileBytes), string.Join(' ', shard.Replicas.Select(replica => replica.Node)), Lag(shard),
    ];

    /// <summary>A bound without the zeros at its end, but for the first four digits: <c>2000</c>.</summary>
    private static string Short(string bound) => bound.Length > 4 ? bound[..4] + bound[4..].TrimEnd('0') : bound;

    /// <summary>0, or those replicas that are behind or unknown: <c>n2:17 n3:?</c>. Nothing is known without the leader's word.</summary>
    private static Cell Lag(ShardOutput shard)
    {
        if (shard.Commit is null) return "?";
        IEnumerable<string> behind = shard.Replicas.Where(replica => replica.Lag is not 0).Select(replica => $"{replica.Node}:{Number(replica.Lag).Text}");
        string text = string.Join(' ', behind);
        return text.Length == 0 ? "0" : new Cell(text, "yellow");
    }

    /// <summary>Without the scheme, which is always the same and takes room.</summary>
    private static string AddressOf(string? url) => url is null ? "?" : ClientEndpoint.TryParse(url, out ClientEndpoint? endpoint) ? endpoint.ToString() : url;

    private static string Known(string? text) => text ?? "?";

    private static Cell Number<T>(T? number)
        where T : struct, IFormattable => number?.ToString(null, CultureInfo.InvariantCulture) ?? "?";

    /// <summary>Three digits at most, of 1024: <c>0</c>, <c>512B</c>, <c>64K</c>, <c>1.2G</c>.</summary>
    internal static string Size(long? bytes)
    {
        if (bytes is null) return "?";
        double size = bytes.Value;
        int unit = 0;
        for (; Math.Round(size) >= 1000; unit++) size /= 1024;
        if (unit == 0) return size == 0 ? "0" : string.Create(CultureInfo.InvariantCulture, $"{size}B");
        return size.ToString(size < 9.95 ? "0.0" : "0", CultureInfo.InvariantCulture) + "KMGTPE"[unit - 1];
    }

    /// <summary>The two largest units: <c>3d 4h</c>, <c>12s</c>.</summary>
    private static string Duration(long? millis)
    {
        if (millis is null) return "?";
        TimeSpan span = TimeSpan.FromMilliseconds(millis.Value);
        if (span.TotalDays >= 1) return $"{span.Days}d {span.Hours}h";
        if (span.TotalHours >= 1) return $"{span.Hours}h {span.Minutes}m";
        return span.TotalMinutes >= 1 ? $"{span.Minutes}m {span.Seconds}s" : $"{span.Seconds}s";
    }
}
