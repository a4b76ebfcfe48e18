using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl debug group ID</c>: a shard's group from inside, as each node that holds it sees it.</summary>
internal static class DebugVerb
{
    private const int MaxRoleChangesShown = 20;
    private static readonly Cell s_unknown = "?";

    public static Command Create(Screen screen)
    {
        Argument<ulong> shard = new("id") { Description = "The shard's number.", CustomParser = ShardNumber };
        Command group = new("group", "Show a shard's group as every node that holds it sees it, and why replicas changed their roles. Exit code 5 if one of these nodes does not answer.") { shard };
        GlobalOptions.AddTo(group);
        group.SetAction((result, cancellation) => RunAsync(screen, result, result.GetValue(shard), cancellation));
        return new Command("debug", "Look inside.") { group };
    }

    private static ulong ShardNumber(System.CommandLine.Parsing.ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)) argument.AddError($"'{text}' is not the number of a shard.");
        return number;
    }

    private static async Task<int> RunAsync(Screen screen, ParseResult result, ulong shard, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        using NodeClient client = new(GlobalOptions.TimeoutOf(result));
        IReadOnlyList<EndpointAnswer> answers = await ClusterReport.AskAsync(client, GlobalOptions.EndpointsOf(result), cancellation);
        string[] holders = HoldersOf(answers, shard);
        if (holders.Length == 0) throw new CommandException(ExitCode.NotFound, $"there is no shard {shard}");

        DebugNodeOutput[] nodes = await Task.WhenAll(holders.Select(node => AskAsync(client, node, shard, answers, cancellation)));
        if (isJson) screen.Line(OutputJson.Write(new DebugGroupOutput(shard, [.. nodes]), OutputJson.OfCluster.DebugGroupOutput));
        else Show(screen, nodes);
        string[] problems = [.. nodes.Select(node => node.Problem).OfType<string>()];
        if (problems.Length > 0) throw new CommandException(ExitCode.Unhealthy, string.Join("; ", problems));
        return ExitCode.Ok;
    }

    /// <summary>The nodes of the map and those that say they hold a replica, by name.</summary>
    private static string[] HoldersOf(IReadOnlyList<EndpointAnswer> answers, ulong shard)
    {
        IEnumerable<string> mapped = answers.SelectMany(answer => answer.Shards?.Shards ?? []).Where(entry => entry.Id == shard).SelectMany(entry => entry.Replicas).Select(replica => replica.Node);
        IEnumerable<string> saying = answers.Select(answer => answer.Status).OfType<NodeStatus>().Where(status => status.Groups.Any(group => group.Shard == shard)).Select(status => status.Node);
        return [.. mapped.Concat(saying).Distinct().Order(StringComparer.Ordinal)];
    }

    private static async Task<DebugNodeOutput> AskAsync(NodeClient client, string node, ulong shard, IReadOnlyList<EndpointAnswer> answers, CancellationToken cancellation)
    {
        if (answers.FirstOrDefault(answer => answer.Status?.Node == node) is not { } known) return new DebugNodeOutput(node, null, $"{node} does not answer, or is not among the endpoints");
        if (known.Status!.Groups.All(group => group.Shard != shard)) return new DebugNodeOutput(node, null, $"{node} holds no replica of shard {shard}");
        try
        {
            JsonObject group = await client.GroupAsync(known.Endpoint, shard, cancellation);
            NodeClient.Parse(group);
            return new DebugNodeOutput(node, group, null);
        }
        catch (NodeUnreachableException exception)
        {
            return new DebugNodeOutput(node, null, exception.Message);
        }
        catch (JsonException)
        {
            return new DebugNodeOutput(node, null, $"{node} answers with something else than this version of RaftKv would");
        }
    }

    private static void Show(Screen screen, DebugNodeOutput[] nodes)
    {
        GroupDebug[] groups = [.. nodes.Select(node => node.Group).OfType<JsonObject>().Select(NodeClient.Parse)];
        GroupDebug? leading = groups.Where(group => group.Role == "leader").MaxBy(group => group.Term);
        screen.Table(["node", "role", "term", "commit", "applied", "last", "progress"], [.. nodes.Select(node => Row(node.Node, groups.FirstOrDefault(group => group.Node == node.Node), leading))], "last", "applied");

        (string Node, RoleChangeDebug Change)[] changes = [.. groups.SelectMany(group => group.RoleChanges.Select(change => (group.Node, change))).OrderBy(pair => pair.change.At)];
        screen.Line();
        screen.Table(["at", "node", "from", "to", "term", "reason"], [.. changes.TakeLast(MaxRoleChangesShown).Select(ChangeRow)], "from");
        if (changes.Length > MaxRoleChangesShown) screen.Line($"\n{changes.Length - MaxRoleChangesShown} older role changes are not shown; -o json has them.");
    }

    private static Cell[] Row(string node, GroupDebug? group, GroupDebug? leading)
    {
        Cell progress = ProgressOf(node, leading);
        if (group is null) return [new(node, "bold"), new("no answer", "red"), s_unknown, s_unknown, s_unknown, s_unknown, progress];
        Cell role = new(group.Asleep ? $"{group.Role}, asleep" : group.Role, group.Role switch { "leader" => "green", "follower" => null, _ => "yellow" });
        return [new(node, "bold"), role, $"{group.Term}", $"{group.Commit}", $"{group.Applied}", $"{group.Last}", progress];
    }

    /// <summary>What the leader knows of the node's replica; of its own there is nothing to know.</summary>
    private static Cell ProgressOf(string node, GroupDebug? leading)
    {
        if (leading is null) return s_unknown;
        if (leading.Node == node) return "-";
        if (leading.Followers.FirstOrDefault(follower => follower.Node == node) is not { } follower) return new Cell("not a follower", "yellow");
        return new Cell($"{follower.State} match {follower.Match} next {follower.Next}{(follower.IsWaiting ? " waiting" : "")}", follower.State == "replicate" ? null : "yellow");
    }

    private static Cell[] ChangeRow((string Node, RoleChangeDebug Change) pair) =>
    [
        pair.Change.At.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture), new(pair.Node, "bold"), pair.Change.From, pair.Change.To, $"{pair.Change.Term}", pair.Change.Reason,
    ];
}
