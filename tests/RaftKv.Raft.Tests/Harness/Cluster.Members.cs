namespace RaftKv.Raft.Tests;

/// <content>Replicas come and go, as their host would have it (GroupWorker.Replicas.cs): one lives on a node at most, and a tombstone stays of each.</content>
internal sealed partial class Cluster
{
    private readonly Dictionary<ReplicaId, NodeId> _homes = [];
    private readonly Dictionary<ReplicaId, Disk> _disks = [];
    private readonly Dictionary<NodeId, ReplicaId> _tombstones = [];

    /// <summary>Called with a replica that a message made, before it hears the message.</summary>
    public event Action<Replica>? OnMade;

    /// <summary>Called with a replica that is gone for good.</summary>
    public event Action<Replica>? OnBuried;

    /// <summary>A group of production: its log begins behind a store that says who the members are, the others are called into being by messages.</summary>
    public static Cluster Born(int voters, Func<RaftOptions, RaftOptions>? configure = null) => Born(Some.Voters(voters), configure);

    public static Cluster Born(Configuration configuration, Func<RaftOptions, RaftOptions>? configure = null) => new(configuration, _ => Disk.Born(configuration), configure);

    /// <summary>The same with r1 leading it, in term 6; its no-op, at 11, is applied everywhere.</summary>
    public static Cluster Led(int voters, Func<RaftOptions, RaftOptions>? configure = null) => Led(Some.Voters(voters), configure);

    public static Cluster Led(Configuration configuration, Func<RaftOptions, RaftOptions>? configure = null)
    {
        Cluster cluster = Born(configuration, configure);
        cluster.Elect(1);
        cluster.Heartbeat(1);
        return cluster;
    }

    /// <summary>The replica that lives on a node; null if none does.</summary>
    public Replica? On(int node) => On(new NodeId((ulong)node));

    public Replica? On(NodeId node) => _replicas.Find(replica => _homes[replica.Id] == node);

    public NodeId NodeOf(ReplicaId replica) => _homes[replica];

    /// <summary>The disk of any replica there ever was, as it was when it last lived.</summary>
    public Disk? DiskOf(ReplicaId replica) => _disks.GetValueOrDefault(replica);

    /// <summary>What the host of the addressee does with a message.</summary>
    public void Hand(in Message message)
    {
        OnDeliver?.Invoke(message);
        Replica? here = On(_homes[message.To]) ?? Make(message);
        if (here is null) return;
        if (here.Id == message.To) here.Receive(message);
        else here.ReceiveForAnother(message);
    }

    /// <summary>Every snapshot that was asked for arrives at once, whole.</summary>
    public IReadOnlyList<(Snapshot Snapshot, ReplicaId To, InstallStatus Status)> GiveSnapshots()
    {
        List<(Snapshot Snapshot, ReplicaId To, InstallStatus Status)> given = [];
        foreach (Replica sender in _replicas)
        {
            foreach (ReplicaId to in sender.TakeSnapshotsAsked())
            {
                Snapshot snapshot = sender.TakeSnapshot();
                InstallStatus status = Find(to)?.Install(snapshot) ?? InstallStatus.Busy;
                sender.EndSnapshot(to.Value, status == InstallStatus.Busy ? 0 : snapshot.Index.Value);
                given.Add((snapshot, to, status));
            }
        }

        return given;
    }

    /// <summary>Everything that is on its way arrives, snapshots too, and what follows from it. The clock stands still.</summary>
    public void Settle()
    {
        do Deliver();
        while (GiveSnapshots().Count > 0);
    }

    /// <summary>The leader <paramref name="id"/> makes the change, and it runs its course.</summary>
    public void Change(int id, params ReadOnlySpan<MemberChange> changes)
    {
        Assert.Equal(ProposeStatus.Appended, this[id].Change(changes).Status);
        Settle();
        Heartbeat(id);
    }

    /// <summary>The leader <paramref name="id"/> adds a learner, which gets everything.</summary>
    public Replica AddLearner(int id, int node)
    {
        Change(id, MemberChange.AddLearner(new NodeId((ulong)node)));
        Replica learner = On(node)!;
        Assert.Equal(this[id].Group.LastIndex, learner.Group.LastIndex);
        return learner;
    }

    /// <summary>Adds a learner and makes it a voter.</summary>
    public Replica AddVoter(int id, int node)
    {
        Replica voter = AddLearner(id, node);
        Change(id, MemberChange.Promote(voter.Id));
        return voter;
    }

    /// <summary>A replica that crashed before anything said that it exists does not.</summary>
    public bool TryForget(Replica replica)
    {
        if (!replica.Disk.IsNew) return false;
        _replicas.Remove(replica);
        return true;
    }

    /// <summary>A leader's message makes the replica that it is for, unless that was removed before.</summary>
    private Replica? Make(in Message message)
    {
        NodeId node = _homes[message.To];
        if (message.Kind is not (MessageKind.Append or MessageKind.Heartbeat)) return null;
        if (_tombstones.TryGetValue(node, out ReplicaId removed) && message.To.CompareTo(removed) <= 0) return null;
        Replica made = new(message.To.Value, Configuration.Empty, _disks[message.To] = new Disk { IsNew = true }, Clock, _configure);
        _replicas.Add(made);
        OnMade?.Invoke(made);
        return made;
    }

    private void BuryTheRemoved()
    {
        foreach (Replica removed in _replicas.FindAll(replica => replica.IsRemoved))
        {
            _replicas.Remove(removed);
            _tombstones[_homes[removed.Id]] = removed.Id;
            OnBuried?.Invoke(removed);
        }
    }

    /// <summary>A replica's id says for ever where it lives.</summary>
    private void NoteHome(ReplicaId replica, Replica accordingTo)
    {
        if ((accordingTo.Group.Configuration.NodeOf(replica) ?? accordingTo.Group.AppliedConfiguration.NodeOf(replica)) is not { } node) return;
        Assert.True(_homes.TryAdd(replica, node) || _homes[replica] == node, $"{replica} on {node}, and on {_homes[replica]} before");
    }

    private void AskEverybody(Replica asking)
    {
        foreach (Replica other in _replicas.Where(other => other != asking))
        {
            Message question = new() { Kind = MessageKind.AmIMember, From = asking.Id, To = other.Id, Term = asking.Group.Term };
            if (!IsCut(question)) InFlight.Add(question);
        }
    }
}
