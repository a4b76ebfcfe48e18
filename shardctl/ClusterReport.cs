using System.Collections.Immutable;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary>What one endpoint said, or why it said nothing.</summary>
internal sealed record EndpointAnswer(ClientEndpoint Endpoint, NodeStatus? Status, NodeList? Nodes, ShardList? Shards, string? Failure);

/// <summary>From what several nodes say of themselves to one view of the cluster. Asking is apart from composing, which is pure.</summary>
internal static class ClusterReport
{
    public const string Up = "up";
    public const string Down = "down";
    public const string Unknown = "unknown";

    /// <summary>Asks the endpoints, and then those nodes whose address for clients came up only in the answers. Throws <see cref="CommandException"/> if none answers.</summary>
    public static async Task<IReadOnlyList<EndpointAnswer>> AskAsync(NodeClient client, IReadOnlyList<ClientEndpoint> endpoints, CancellationToken cancellation)
    {
        List<EndpointAnswer> answers = [.. await Task.WhenAll(endpoints.Select(endpoint => AskAsync(client, endpoint, cancellation)))];
        if (answers.All(answer => answer.Status is null)) throw new CommandException(ExitCode.CannotConnect, $"no node answers: {string.Join("; ", answers.Select(answer => answer.Failure))}");
        HashSet<string> answered = [.. answers.Select(answer => answer.Status?.Node).OfType<string>()];
        IEnumerable<ClientEndpoint> further = answers.SelectMany(answer => answer.Nodes?.Nodes ?? [])
            .Where(member => member.ClientUrl is not null && !answered.Contains(member.Name))
            .Select(member => ClientEndpoint.TryParse(member.ClientUrl!, out ClientEndpoint? endpoint) ? endpoint : null)
            .OfType<ClientEndpoint>()
            .Distinct()
            .Except(endpoints);
        answers.AddRange(await Task.WhenAll(further.Select(endpoint => AskAsync(client, endpoint, cancellation))));
        return answers;
    }

    /// <param name="answers">At least one with a status.</param>
    public static StatusOutput Compose(IReadOnlyList<EndpointAnswer> answers)
    {
        Dictionary<string, NodeStatus> statuses = [];
        foreach (NodeStatus status in answers.Select(answer => answer.Status).OfType<NodeStatus>()) statuses[status.Node] = status;
        ImmutableArray<NodeMember> members = answers.First(answer => answer.Nodes is not null).Nodes!.Nodes;
        // Nodes cannot be told from endpoints that are silent; but if there are as many endpoints as nodes, each was asked.
        string silent = answers.Count >= members.Length ? Down : Unknown;
        ImmutableArray<NodeOutput> nodes = [.. members.Select(member => NodeOf(member, statuses.GetValueOrDefault(member.Name), silent))];
        // A node that holds no replica of a shard knows its members as they were when the cluster began.
        IEnumerable<ShardEntry> newest = answers.SelectMany(answer => answer.Shards?.Shards ?? []).GroupBy(shard => shard.Id).OrderBy(shard => shard.Key).Select(shard => shard.MaxBy(entry => (entry.Version, entry.ConfVersion))!);
        ImmutableArray<ShardOutput> shards = [.. newest.Select(shard => ShardOf(shard, statuses))];
        ImmutableArray<string> problems = ProblemsOf(answers, statuses, nodes, shards);
        return new StatusOutput(statuses.Values.First().ClusterId, problems.IsEmpty, problems, nodes, shards);
    }

    private static async Task<EndpointAnswer> AskAsync(NodeClient client, ClientEndpoint endpoint, CancellationToken cancellation)
    {
        try
        {
            Task<NodeStatus> status = client.StatusAsync(endpoint, cancellation);
            Task<NodeList> nodes = client.NodesAsync(endpoint, cancellation);
            Task<ShardList> shards = client.ShardsAsync(endpoint, cancellation);
            await Task.WhenAll(status, nodes, shards);
            return new EndpointAnswer(endpoint, await status, await nodes, await shards, null);
        }
        catch (NodeUnreachableException exception)
        {
            return new EndpointAnswer(endpoint, null, null, null, exception.Message);
        }
    }

    private static NodeOutput NodeOf(NodeMember member, NodeStatus? status, string silent) => new(
        member.Name, member.Id, status is null ? silent : Up, status?.ClientUrl ?? member.ClientUrl, member.PeerAddress,
        status?.UptimeMillis, status?.Groups.Count(group => group.IsLeader), status?.Groups.Length, FileBytesOf(status));

    /// <summary>Null also when one of its replicas does not say.</summary>
    private static long? FileBytesOf(NodeStatus? status) => status is null || status.Groups.Any(group => group.Store is null) ? null : status.Groups.Sum(group => group.Store!.FileBytes);

    private static ShardOutput ShardOf(ShardEntry shard, Dictionary<string, NodeStatus> statuses)
    {
        Dictionary<string, GroupStatus> groups = statuses.Values
            .SelectMany(status => status.Groups.Where(group => group.Shard == shard.Id).Select(group => (status.Node, group)))
            .ToDictionary(pair => pair.Node, pair => pair.group);
        // A deposed leader may not know it yet; the highest term is right. Without the leader's own word, its followers'.
        GroupStatus? newest = groups.Values.MaxBy(group => (group.Term, group.IsLeader));
        string? leader = groups.Where(pair => pair.Value.IsLeader && pair.Value.Term == newest!.Term).Select(pair => pair.Key).FirstOrDefault() ?? newest?.Leader;
        GroupStatus? leading = leader is null ? null : groups.GetValueOrDefault(leader);
        if (newest is null) leader = shard.Leader;
        return new ShardOutput(
            shard.Id, shard.Start, shard.End, shard.Version, shard.ConfVersion, leader, newest?.Term, leading?.Commit, leading?.Revision, leading?.Store?.DataBytes, leading?.Store?.FileBytes,
            [.. shard.Replicas.Select(replica => ReplicaOf(replica, groups.GetValueOrDefault(replica.Node), leading))]);
    }

    private static ReplicaOutput ReplicaOf(ReplicaEntry replica, GroupStatus? group, GroupStatus? leading) => new(
        replica.Node, replica.ReplicaId, replica.Role, group?.Term, group?.Applied, group?.Last, group?.Durable, LagOf(group, leading),
        group?.Store?.DataBytes, group?.Store?.FileBytes, group?.Store?.Rows);

    /// <summary>The answers are not of one moment: a follower may have been asked later than its leader, and be ahead.</summary>
    private static ulong? LagOf(GroupStatus? group, GroupStatus? leading)
    {
        if (group is null || leading is null) return null;
        return leading.Commit > group.Applied ? leading.Commit - group.Applied : 0;
    }

    private static ImmutableArray<string> ProblemsOf(
        IReadOnlyList<EndpointAnswer> answers, Dictionary<string, NodeStatus> statuses, ImmutableArray<NodeOutput> nodes, ImmutableArray<ShardOutput> shards)
    {
        ImmutableArray<string>.Builder problems = ImmutableArray.CreateBuilder<string>();
        if (statuses.Values.Select(status => status.ClusterId).Distinct().Count() > 1) problems.Add("the endpoints belong to different clusters");
        string[] down = [.. nodes.Where(node => node.State == Down).Select(node => node.Name)];
        if (down.Length > 0) problems.Add($"{string.Join(", ", down)} {(down.Length == 1 ? "does" : "do")} not answer");
        foreach (EndpointAnswer failed in answers.Where(answer => answer.Failure is not null)) problems.Add(failed.Failure!);
        ulong[] leaderless = [.. shards.Where(shard => shard.Leader is null || down.Contains(shard.Leader)).Select(shard => shard.Id)];
        if (leaderless.Length > 0) problems.Add($"no leader of {(leaderless.Length == 1 ? "shard" : "shards")} {string.Join(", ", leaderless)}");
        return problems.ToImmutable();
    }
}
