using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <content>The other nodes, the own disk, and the groups that sleep because both are known to be well.</content>
public sealed partial class GroupWorker
{
    /// <summary>Tells the other nodes that this one is alive, notices who is not any more, and whether the own disk works.</summary>
    private void WatchNodes(long now)
    {
        if (_disk.Tick(now, _logWriter.WritingSince))
        {
            _nextNodeHeartbeat = now;
            _options.Observer.OnDiskStalled(_disk.IsStalled);
            foreach (HostedReplica replica in _replicas.Values)
            {
                replica.Group.SetStalled(now, _disk.IsStalled);
                Touch(replica);
            }
        }

        if (now >= _nextNodeHeartbeat) SendNodeHeartbeats(now);
        foreach (NodeId gone in _nodes.Tick(now)) OnNodeGone(now, gone);
    }

    private void SendNodeHeartbeats(long now)
    {
        _nextNodeHeartbeat = now + (_isQuiet ? _options.QuietHeartbeatMicros : _options.HeartbeatIntervalMicros);
        foreach (NodeId node in _nodes.Nodes) _links.Send(node, _nodes.HeartbeatTo(node, _options.BootId, _disk.IsStalled, _isLeaving, _stoppedVersion));
    }

    private void OnNodeHeartbeat(long now, NodeId from, byte[] body)
    {
        NodeNews news = _nodes.OnHeartbeat(now, from, body);
        if (news.IsGone) OnNodeGone(now, from);
        if (news.HasLostUs) OnNodeHasLostUs(now, from);
        if (news.HasStoppedReplica) OnNodeStoppedReplica(now, from);
    }

    /// <summary>Groups that this node led may have other leaders since, and other members; asleep they would never hear of it.</summary>
    private void OnNodeHasLostUs(long now, NodeId node)
    {
#if MUTANTS
        if (Mutants.On(Mutant.SleepingLeaderIsForgotten)) return;
#endif
        foreach (HostedReplica replica in _replicas.Values)
        {
            if (replica.Group is not { IsAsleep: true, Role: Role.Leader } group || group.Configuration.Members.All(member => member.Node != node)) continue;
            group.Wake(now);
            Touch(replica);
        }
    }

    /// <summary>Groups that sleep under a leader there have nobody else to tell them. Those that are awake notice for themselves.</summary>
    private void OnNodeGone(long now, NodeId node)
    {
#if MUTANTS
        if (Mutants.On(Mutant.SleepersAreNotWoken)) return;
#endif
        foreach (HostedReplica replica in _replicas.Values)
        {
            if (!replica.Group.IsAsleep || LeaderNodeOf(replica) != node) continue;
            replica.Group.OnLeaderNodeGone(now);
            Touch(replica);
        }
    }

    /// <summary>
    /// A process that died has closed its connections (design §6): groups led from there do not wait for an election timeout. Those that sleep are woken by
    /// <see cref="NodeWatch"/> if the connection does not come back, but agree to a replacement from now on.
    /// </summary>
    private void OnConnection(long now, NodeId node, ulong bootId)
    {
        bool isUp = _nodes.OnConnection(now, node, bootId);
        foreach (HostedReplica replica in _replicas.Values)
        {
            if (LeaderNodeOf(replica) != node) continue;
            replica.Group.OnLeaderConnection(now, isUp);
            if (!replica.Group.IsAsleep) Touch(replica);
        }

        if (_isQuiet) EndQuiet(now);
    }

    private void TryHibernate(long now, HostedReplica replica)
    {
        if (replica.Group.Role != Role.Leader || now - replica.UsedAtMicros < _options.HibernateAfterMicros) return;
        if (now - replica.HibernateAskedAtMicros < 10 * _options.HeartbeatIntervalMicros || replica.Clock.WakeAtMicros(now, replica.Group) - now < _options.HibernateAfterMicros) return;
        replica.HibernateAskedAtMicros = now;
        replica.Group.TryHibernate(now);
    }

    /// <summary>A group that has just fallen asleep: a leader for its next deadline, a follower as long as its leader's node is alive.</summary>
    private void NoteSleep(long now, HostedReplica replica)
    {
        RaftGroup group = replica.Group;
        if (replica.WasAsleep == group.IsAsleep) return;
        replica.WasAsleep = group.IsAsleep;
        if (!group.IsAsleep) return;
        replica.WakeAtMicros = group.Role == Role.Leader ? replica.Clock.WakeAtMicros(now, group) : long.MaxValue;
        NodeId? leaderNode = LeaderNodeOf(replica);
        if (group.Role == Role.Leader || (leaderNode is { } watched && _nodes.IsAlive(now, watched))) return;
#if MUTANTS
        if (Mutants.On(Mutant.SleepersAreNotWoken)) return;
#endif
        if (leaderNode is { } mistrusted) _nodes.OnMistrusted(mistrusted);
        group.OnLeaderNodeGone(now);
        replica.WasAsleep = false;
    }
}
