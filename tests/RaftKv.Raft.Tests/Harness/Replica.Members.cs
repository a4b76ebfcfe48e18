namespace RaftKv.Raft.Tests;

/// <content>What becomes of a replica when members change, and what its host does about it.</content>
internal sealed partial class Replica
{
    private bool _asksEverybody;

    /// <summary>It was told, or has applied, that it is no member any more: its host gives it up.</summary>
    public bool IsRemoved { get; private set; }

    /// <summary>A replica of a born group, with no other around.</summary>
    public static Replica Of(Configuration configuration, ulong id = 1, Func<RaftOptions, RaftOptions>? configure = null) => new(id, configuration, Disk.Born(configuration), configure: configure);

    /// <summary>r1 as the leader of a born group, in term 6, with no other around; its no-op, at 11, is applied and acknowledged by all.</summary>
    public static Replica LeadingOf(Configuration configuration, Func<RaftOptions, RaftOptions>? configure = null)
    {
        Replica leader = Of(configuration, configure: configure);
        leader.Campaign();
        ReplicaId[] others = [.. configuration.Members.Select(member => member.Replica).Where(id => id != leader.Id)];
        foreach (ReplicaId other in others)
            if (leader.Group.Role == Role.Candidate) leader.Receive(Some.VoteResponse(other.Value, 1, leader.Term));
        foreach (ReplicaId other in others) leader.Receive(Some.Ack(other.Value, 1, leader.Term, 11));
        Assert.Equal((Role.Leader, 6UL, 11UL), (leader.Group.Role, leader.Term, leader.Group.Applied.Value));
        leader.TakeSent();
        return leader;
    }

    public ProposeResult Change(params ReadOnlySpan<MemberChange> changes)
    {
        ProposeResult result = Group.ProposeMembers(_clock.Micros, changes);
        Pump();
        return result;
    }

    public bool Transfer(ulong to)
    {
        bool begun = Group.TryTransfer(_clock.Micros, new ReplicaId(to));
        Pump();
        return begun;
    }

    public void SetStalled(bool isStalled)
    {
        Group.SetStalled(_clock.Micros, isStalled);
        Pump();
    }

    public void TryHibernate()
    {
        Group.TryHibernate(_clock.Micros);
        Pump();
    }

    /// <summary>A message for another replica of this node, from before or after this one.</summary>
    public void ReceiveForAnother(in Message message)
    {
        if (Id.CompareTo(message.To) < 0 && message.Kind != MessageKind.AmIMember) Group.AskWhetherMember(_clock.Micros, message.From);
        else Group.TellIfRemoved(_clock.Micros, message);
        Pump();
    }

    public IReadOnlyList<ReplicaId> TakeSnapshotsAsked()
    {
        ReplicaId[] asked = [.. SnapshotsAsked];
        SnapshotsAsked.Clear();
        return asked;
    }

    /// <summary>Whether it wants every node asked whether it is a member.</summary>
    public bool TakeAsksEverybody()
    {
        bool asks = _asksEverybody;
        _asksEverybody = false;
        return asks;
    }

    /// <summary>What is still allowed to one that is removed: to say so.</summary>
    private void GiveUp(Ready ready)
    {
        if (IsRemoved) return;
        IsRemoved = true;
        OnReady?.Invoke(ready);
        foreach (Message message in ready.SendNow) Leave(Copy(message));
    }
}
