using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Native;
using RaftKv.Node.Options;
using RaftKv.Node.Storage;
using RaftKv.Raft;
using RaftKv.RaftLog.Posix;
using RaftKv.Transport;

namespace RaftKv.Node.Http;

/// <summary>What this node says of itself and its cluster.</summary>
/// <remarks>What consensus knows belongs to STEP; so questions are asked there, as a part of its next turn.</remarks>
internal sealed class NodeView(
    DiskIdentity identity, ulong bootId, ShardMap map, IReadOnlyList<ClusterMember> members, string clientUrl, string peerAddress, MultiRaftHost host, Front front, TcpPeerLinks links, DiskCounters logDisk,
    DiskSpaceWatch space)
{
    private readonly long _startedAt = BootClock.NowMicros;
    private readonly Dictionary<NodeId, string> _names = members.ToDictionary(member => new NodeId(NodeIdentity.IdOf(member.Name)), member => member.Name);

    public async Task<StatusJson> StatusAsync(int timeoutMillis)
    {
        // On STEP only what it alone knows: it has better things to do.
        ((GroupJson Group, KvStateMachine Machine)[] groups, StoppedReplicaJson[] stopped) = await AskStepAsync(timeoutMillis, _ => (
            host.Machines.OfType<KvStateMachine>().Select(machine => (GroupOf(host.Worker.Find(machine.Group)!, machine), machine)).ToArray(),
            host.Worker.Stopped.Select(replica => new StoppedReplicaJson(replica.Group.Value, replica.Replica.ToString(), replica.Reason)).ToArray()));
        DiskSpace disk = space.Latest;
        return new StatusJson(
            identity.Name, identity.Node.ToString(), Hex(identity.DiskId), Hex(bootId), Hex(identity.ClusterId), clientUrl, peerAddress, (BootClock.NowMicros - _startedAt) / 1000,
            new SnapshotsJson(host.Snapshots.Sent, host.Snapshots.Installed, host.Snapshots.Failed, host.Snapshots.WaitForRoom),
            [.. groups.Select(group => group.Group with { Store = StoreOf(group.Machine) })], stopped,
            ProcessFacts.Read(), new RaftLogJson(logDisk.Syncs, logDisk.WrittenBytes), new DiskJson(disk.FreeBytes, disk.FloorBytes, disk.TakesPuts));
    }

    /// <summary>What the replicas here have applied; of shards without one what was so when the cluster began, and who was found to lead them.</summary>
    public Task<ShardsJson> ShardsAsync(int timeoutMillis) => AskStepAsync(timeoutMillis, _ =>
    {
        Dictionary<ulong, AppliedMembers> here = host.Machines.OfType<KvStateMachine>().ToDictionary(machine => machine.Group.Value, machine => machine.Members);
        return new ShardsJson([.. map.Shards.Select(shard => ShardOf(shard, here.GetValueOrDefault(shard.Id)))]);
    });

    /// <summary>Why this node is not ready: local shards that know no leader or have applied nothing of its term yet, a disk that stands still, STEP itself. None: it is.</summary>
    public async Task<IReadOnlyList<string>> WhyNotReadyAsync(int timeoutMillis)
    {
        try
        {
            return await AskStepAsync(timeoutMillis, _ => host.Worker.Groups.Select(WhyNotReady).Prepend(host.Worker.IsDiskStalled ? "the raft log's disk stands still" : null).OfType<string>().ToArray());
        }
        catch (ApiException busy)
        {
            return [busy.Message];
        }
    }

    public NodesJson Nodes() => new([.. members.Select(NodeOf)]);

    public string NodeName => identity.Name;

    /// <summary>A node's name, or its id if it is no member that this node knows.</summary>
    public string NameOf(NodeId node) => _names.GetValueOrDefault(node) ?? node.ToString();

    /// <summary>Asks on the STEP thread, which owns the groups, as part of its next turn. Throws <see cref="ApiException"/> when that is too busy, or takes longer.</summary>
    public async Task<T> AskStepAsync<T>(int timeoutMillis, Func<long, T> question)
    {
        TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!host.Worker.TryPost((Action<long>)(now => answer.SetResult(question(now))), bytes: 64)) throw new ApiException(ErrorCode.Overloaded, "this node has too much waiting");
        try
        {
            return await answer.Task.WaitAsync(TimeSpan.FromMilliseconds(timeoutMillis));
        }
        catch (TimeoutException)
        {
            throw new ApiException(ErrorCode.Deadline, $"the node did not answer within {timeoutMillis} ms");
        }
    }

    private GroupJson GroupOf(RaftGroup group, KvStateMachine machine) => new(
        group.Group.Value, ApiResponse.Text(group.Replica.Value), GroupText.Of(group.Role), group.Term.Value, LeaderOf(group), group.Commit.Value,
        group.Applied.Value, group.LastIndex.Value, group.DurableIndex.Value, group.SnapshotIndex.Value, machine.CommittedRevision, Store: null);

    private static StoreJson? StoreOf(KvStateMachine machine)
    {
        try
        {
            StoreSize size = machine.Size;
            return new StoreJson(size.FileBytes, size.LiveBytes, size.MemoryBytes, size.Rows);
        }
        catch (ObjectDisposedException)
        {
            return null; // A snapshot took its place since STEP answered.
        }
    }

    private ShardJson ShardOf(ShardDescription shard, AppliedMembers? here)
    {
        GroupId group = new(shard.Id);
        ShardEpoch epoch = here?.Epoch ?? shard.Epoch;
        NodeId? leader = host.Worker.Find(group) is null ? front.LeaderHintOf(group) : host.Worker.LeaderNodeOf(group);
        return new ShardJson(
            shard.Id, HashRange.FormatBound(shard.Range.Start), HashRange.FormatBound(shard.Range.End), epoch.Version, epoch.ConfVersion, leader is { } node ? NameOf(node) : null,
            here is null ? [.. shard.Replicas.Select(replica => new ReplicaJson(replica.Node, ApiResponse.Text(replica.ReplicaId), RoleText(replica.Role == ReplicaRole.Voter)))] : ReplicasOf(here.Configuration, NameOf));
    }

    /// <summary>Within a membership change all members of both halves; whoever votes in one of them is a voter.</summary>
    internal static ReplicaJson[] ReplicasOf(Configuration configuration, Func<NodeId, string> nameOf) =>
        [.. configuration.Members.Select(member => new ReplicaJson(nameOf(member.Node), ApiResponse.Text(member.Replica.Value), RoleText(configuration.IsVoter(member.Replica))))];

    private static string RoleText(bool isVoter) => isVoter ? "voter" : "learner";

    private NodeJson NodeOf(ClusterMember member)
    {
        NodeId id = new(NodeIdentity.IdOf(member.Name));
        bool isSelf = id == identity.Node;
        ulong boot = isSelf ? bootId : links.BootIdOf(id);
        string address = isSelf ? peerAddress : member.ToString()[(member.Name.Length + 1)..];
        return new NodeJson(member.Name, id.ToString(), address, isSelf ? clientUrl : links.ClientUrlOf(id), boot == 0 ? null : Hex(boot), isSelf);
    }

    private string? LeaderOf(RaftGroup group) =>
        !group.Leader.IsNone && group.Configuration.NodeOf(group.Leader) is { } node ? _names.GetValueOrDefault(node) : null;

    private static string? WhyNotReady(RaftGroup group)
    {
        if (group.Leader.IsNone) return $"shard {group.Group.Value}: no leader is known in term {group.Term.Value}";
        return group.TermAt(group.Applied) == group.Term ? null : $"shard {group.Group.Value}: nothing of term {group.Term.Value} is applied yet, index {group.Applied.Value} of {group.LastIndex.Value}";
    }

    private static string Hex(ulong id) => NodeIdentity.FormatId(id);
}
