using System.Collections.Immutable;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.MultiRaft;
using RaftKv.Raft;

namespace RaftKv.Node.Http;

/// <summary>/debug: the groups from inside, and the log level, which may be changed.</summary>
internal sealed partial class DebugEndpoint(NodeView view, GroupWorker worker, LogSwitch levels, BodyReader bodies, Limits limits, ILogger<DebugEndpoint> logger)
{
    public const string Path = "/debug/";
    private const string GroupsPath = "/debug/groups";
    private const string LevelPath = "/debug/log-level";

    /// <summary>Throws <see cref="ApiException"/>.</summary>
    public async Task HandleAsync(HttpContext http, RequestTarget target)
    {
        if (target.Path == LevelPath) await AnswerLevelAsync(http, target);
        else if (target.Path == GroupsPath) await AnswerGroupsAsync(HttpApi.AllowGet(http, target));
        else if (target.Path.StartsWith(GroupsPath + "/", StringComparison.Ordinal)) await AnswerGroupAsync(HttpApi.AllowGet(http, target), target.Path[(GroupsPath.Length + 1)..]);
        else throw new ApiException(ErrorCode.NoSuchRoute, $"there is nothing at {target.Path}");
    }

    private async Task AnswerGroupsAsync(HttpContext http)
    {
        DebugGroupJson[] groups = await view.AskStepAsync(TimeoutMillisOf(http), now => worker.Groups.Select(group => Describe(now, group, withRoleChanges: false)).ToArray());
        await ApiResponse.WriteJsonAsync(http, new DebugGroupsJson(view.NodeName, groups), DebugJson.Readable.DebugGroupsJson);
    }

    private async Task AnswerGroupAsync(HttpContext http, string id)
    {
        if (!ulong.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out ulong shard)) throw new ApiException(ErrorCode.BadArgument, $"'{id}' is not the number of a shard");
        DebugGroupJson? found = await view.AskStepAsync(TimeoutMillisOf(http), now => worker.Find(new GroupId(shard)) is { } group ? Describe(now, group, withRoleChanges: true) : null);
        if (found is null) throw new ApiException(ErrorCode.NoSuchShard, $"node {view.NodeName} holds no replica of shard {shard}");
        await ApiResponse.WriteJsonAsync(http, found, DebugJson.Readable.DebugGroupJson);
    }

    private async Task AnswerLevelAsync(HttpContext http, RequestTarget target)
    {
        target.Parameters([]);
        if (HttpMethods.IsPut(http.Request.Method))
        {
            long deadline = Door.DeadlineIn(TimeoutMillisOf(http));
            LogLevelJson asked = RequestJson.Parse((await bodies.ReadDocumentAsync(http.Request, deadline)).Span, DebugJson.Default.LogLevelJson);
            LogLevel next = LogSwitch.Parse(asked.Level ?? "") ?? throw new ApiException(ErrorCode.BadArgument, $"level '{asked.Level}' is none of {LogSwitch.Allowed}");
            LevelChanges(LogSwitch.NameOf(levels.Level), LogSwitch.NameOf(next));
            levels.Level = next;
        }
        else if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
        {
            throw new ApiException(ErrorCode.MethodNotAllowed, $"{http.Request.Method} is not one of GET, HEAD, PUT") { Allow = "GET, HEAD, PUT" };
        }

        await ApiResponse.WriteJsonAsync(http, new LogLevelJson(LogSwitch.NameOf(levels.Level)), DebugJson.Readable.LogLevelJson);
    }

    private int TimeoutMillisOf(HttpContext http) => KvParameters.ReadTimeoutMillis(http.Request.Headers, limits);

    /// <summary>On the STEP thread, which owns the group.</summary>
    private DebugGroupJson Describe(long now, RaftGroup group, bool withRoleChanges)
    {
        var (proposals, reads) = worker.PendingOf(group.Group);
        return new DebugGroupJson(
            group.Group.Value, view.NodeName, Id(group.Replica), GroupText.Of(group.Role), group.Term.Value,
            group.Vote.IsNone ? null : Id(group.Vote), worker.LeaderNodeOf(group.Group) is { } leader ? view.NameOf(leader) : null, group.Leader.IsNone ? null : Id(group.Leader),
            group.Commit.Value, group.Applied.Value, group.LastIndex.Value, group.DurableIndex.Value, group.SnapshotIndex.Value, group.IsAsleep, proposals, reads,
            Describe(group.Configuration), [.. group.Followers.Select(follower => Describe(group, follower))], group.ToString(),
            withRoleChanges ? Describe(now, group.RoleChanges) : null);
    }

    private DebugConfigurationJson Describe(Configuration configuration) => new(
        Describe(configuration.Incoming.Voters), Describe(configuration.Incoming.Learners),
        configuration.IsJoint ? Describe(configuration.Outgoing.Voters) : null, configuration.IsJoint ? Describe(configuration.Outgoing.Learners) : null);

    private DebugMemberJson[] Describe(ImmutableArray<Member> members) => [.. members.Select(member => new DebugMemberJson(Id(member.Replica), view.NameOf(member.Node)))];

    private DebugFollowerJson Describe(RaftGroup group, FollowerStatus follower) => new(
        Id(follower.Replica), group.Configuration.NodeOf(follower.Replica) is { } node ? view.NameOf(node) : "", follower.State, follower.Match.Value, follower.Next.Value, follower.IsWaiting);

    private static DebugRoleChangeJson[] Describe(long now, IReadOnlyCollection<RoleChange> changes)
    {
        DateTime wall = DateTime.UtcNow;
        return
        [
            .. changes.Select(change => new DebugRoleChangeJson(
                wall.AddMicroseconds(change.AtMicros - now).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture), Math.Max(0, now - change.AtMicros) / 1000,
                GroupText.Of(change.From), GroupText.Of(change.To), change.Term.Value, GroupText.Of(change.Reason))),
        ];
    }

    private static string Id(ReplicaId replica) => ApiResponse.Text(replica.Value);

    [LoggerMessage(1, LogLevel.Warning, "The log level changes from {From} to {To}")]
    private partial void LevelChanges(string from, string to);
}
