namespace RaftKv.Raft.Tests;

/// <summary>One group and the network between its nodes, on each of which lives one replica at most: first replica n on node n. Nothing moves but by a call.</summary>
internal sealed partial class Cluster
{
    private readonly HashSet<(NodeId From, NodeId To)> _cuts = [];
    private readonly HashSet<NodeId> _isolated = [];
    private readonly Func<RaftOptions, RaftOptions>? _configure;
    private readonly List<Replica> _replicas;

    public Cluster(int voters, Func<int, Disk>? disk = null, Func<RaftOptions, RaftOptions>? configure = null)
        : this(Some.Voters(voters), disk, configure)
    {
    }

    public Cluster(Configuration configuration, Func<int, Disk>? disk = null, Func<RaftOptions, RaftOptions>? configure = null)
    {
        _configure = configure;
        _replicas = [.. configuration.Members.Select(member =>
            new Replica(member.Replica.Value, configuration, disk?.Invoke((int)member.Replica.Value) ?? new Disk(), Clock, configure))];
        foreach (Member member in configuration.Members) _homes.Add(member.Replica, member.Node);
        foreach (Replica replica in _replicas) _disks.Add(replica.Id, replica.Disk);
    }

    public Clock Clock { get; } = new();

    /// <summary>Those that live, oldest first.</summary>
    public IReadOnlyList<Replica> Replicas => _replicas;

    /// <summary>Messages on their way, oldest first. Those on a cut link never get here.</summary>
    public List<Message> InFlight { get; } = [];

    /// <summary>Called with each message as it is delivered.</summary>
    public Action<Message>? OnDeliver { get; set; }

    /// <summary>By its id.</summary>
    public Replica this[int id] => Find(new ReplicaId((ulong)id)) ?? throw new InvalidOperationException($"r{id} does not live");

    /// <summary>Null when it does not live, or not any more.</summary>
    public Replica? Find(ReplicaId id) => _replicas.Find(replica => replica.Id == id);

    /// <summary>The leader of the highest term; null if nobody leads.</summary>
    public Replica? Leader => Replicas.Where(replica => replica.Group.Role == Role.Leader).MaxBy(replica => replica.Term);

    public void Cut(int from, int to) => _cuts.Add((new NodeId((ulong)from), new NodeId((ulong)to)));

    /// <summary>Cuts node <paramref name="node"/> off from everybody, both ways; what was on its way is lost.</summary>
    public void Isolate(int node)
    {
        Collect();
        _isolated.Add(new NodeId((ulong)node));
        InFlight.RemoveAll(IsCut);
    }

    /// <summary>Nodes of one side reach only each other.</summary>
    public void Partition(params int[][] sides)
    {
        Collect();
        foreach (int[] side in sides)
            foreach (int inside in side)
                foreach (int outside in sides.Where(other => other != side).SelectMany(other => other))
                    Cut(inside, outside);
        InFlight.RemoveAll(IsCut);
    }

    public void Heal()
    {
        _cuts.Clear();
        _isolated.Clear();
    }

    /// <summary>Moves what the replicas sent onto the network.</summary>
    public void Collect()
    {
        foreach (Replica replica in _replicas)
        {
            foreach (Message message in replica.TakeSent())
            {
                NoteHome(message.To, replica);
                if (!IsCut(message)) InFlight.Add(message);
            }

            if (replica.TakeAsksEverybody()) AskEverybody(replica);
        }

        BuryTheRemoved();
    }

    /// <summary>Delivers what is on its way, and what follows from it, in order, until nothing (that matches) is left.</summary>
    public void Deliver(Func<Message, bool>? which = null)
    {
        for (int budget = 100_000; ; budget--)
        {
            Assert.True(budget > 0, "the network never comes to rest");
            Collect();
            int at = which is null ? (InFlight.Count > 0 ? 0 : -1) : InFlight.FindIndex(message => which(message));
            if (at < 0) return;
            Message message = InFlight[at];
            InFlight.RemoveAt(at);
            Hand(message);
        }
    }

    public Message[] Drop(Func<Message, bool>? which = null)
    {
        Collect();
        Message[] dropped = [.. InFlight.Where(message => which is null || which(message))];
        InFlight.RemoveAll(message => which is null || which(message));
        return dropped;
    }

    /// <summary>Lets the longest election timeout pass for <paramref name="id"/> alone, and delivers everything.</summary>
    public void Elect(int id)
    {
        this[id].TimeOut();
        Deliver();
        Assert.Equal(Role.Leader, this[id].Group.Role);
    }

    /// <summary>One heartbeat interval of the leader <paramref name="id"/>, and everything that follows.</summary>
    public void Heartbeat(int id)
    {
        this[id].TickAfter(100);
        Deliver();
    }

    /// <summary>Time passes for all: a tick every 50 ms, everything delivered in between.</summary>
    public void Run(long millis)
    {
        for (long passed = 0; passed < millis; passed += 50)
        {
            Clock.Advance(50);
            foreach (Replica replica in _replicas) replica.Tick();
            Deliver();
        }
    }

    public bool IsCut(Message message)
    {
        var (from, to) = (_homes[message.From], _homes[message.To]);
        return from != to && (_cuts.Contains((from, to)) || _isolated.Contains(from) || _isolated.Contains(to));
    }
}
