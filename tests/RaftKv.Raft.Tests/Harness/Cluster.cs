namespace RaftKv.Raft.Tests;

/// <summary>Replicas 1…n of one group and the network between them. Nothing moves but by a call.</summary>
internal sealed class Cluster
{
    private readonly HashSet<(ReplicaId From, ReplicaId To)> _cuts = [];

    public Cluster(int voters, Func<int, Disk>? disk = null, Func<RaftOptions, RaftOptions>? configure = null)
        : this(Some.Voters(voters), disk, configure)
    {
    }

    public Cluster(Configuration configuration, Func<int, Disk>? disk = null, Func<RaftOptions, RaftOptions>? configure = null)
    {
        Replicas = [.. configuration.Members.Select(member =>
            new Replica(member.Replica.Value, configuration, disk?.Invoke((int)member.Replica.Value) ?? new Disk(), Clock, configure))];
    }

    public Clock Clock { get; } = new();

    public IReadOnlyList<Replica> Replicas { get; }

    /// <summary>Messages on their way, oldest first. Those on a cut link never get here.</summary>
    public List<Message> InFlight { get; } = [];

    /// <summary>Called with each message as it is delivered.</summary>
    public Action<Message>? OnDeliver { get; set; }

    public Replica this[int id] => Replicas[id - 1];

    /// <summary>The leader of the highest term; null if nobody leads.</summary>
    public Replica? Leader => Replicas.Where(replica => replica.Group.Role == Role.Leader).MaxBy(replica => replica.Term);

    public void Cut(int from, int to) => _cuts.Add((new ReplicaId((ulong)from), new ReplicaId((ulong)to)));

    /// <summary>Cuts <paramref name="id"/> off from everybody, both ways; what was on its way is lost.</summary>
    public void Isolate(int id)
    {
        foreach (Replica other in Replicas)
        {
            if (other.Id.Value == (ulong)id) continue;
            Cut(id, (int)other.Id.Value);
            Cut((int)other.Id.Value, id);
        }

        Collect();
        InFlight.RemoveAll(IsCut);
    }

    /// <summary>Replicas of one side reach only each other.</summary>
    public void Partition(params int[][] sides)
    {
        foreach (int[] side in sides)
            foreach (int inside in side)
                foreach (int outside in sides.Where(other => other != side).SelectMany(other => other))
                    Cut(inside, outside);
        Collect();
        InFlight.RemoveAll(IsCut);
    }

    public void Heal() => _cuts.Clear();

    /// <summary>Moves what the replicas sent onto the network.</summary>
    public void Collect()
    {
        foreach (Replica replica in Replicas)
            foreach (Message message in replica.TakeSent())
                if (!IsCut(message)) InFlight.Add(message);
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
            OnDeliver?.Invoke(message);
            this[(int)message.To.Value].Receive(message);
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
            foreach (Replica replica in Replicas) replica.Tick();
            Deliver();
        }
    }

    public bool IsCut(Message message) => _cuts.Contains((message.From, message.To));
}
