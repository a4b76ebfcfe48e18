using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>A whole host over fakes. Its replica of every group is 1, on node 101; a test runs the pumps and plays the others.</summary>
internal sealed class HostFixture
{
    private static readonly GroupId First = new(1);

    public HostFixture(HostOptions options, params ReadOnlySpan<RecoveredGroup> groups) : this(options, new RecoveredLog(null, [.. groups])) { }

    public HostFixture(HostOptions options, RecoveredLog recovered)
    {
        Log = new MemoryLog(Trace);
        Links = new FakeLinks(Trace);
        Machines = new FakeMachines(Trace);
        foreach (RecoveredGroup group in recovered.Groups)
            for (LogIndex index = Some.Birth.Next; index <= group.LastIndex; index = index.Next) Log.Write(group.Group, Some.Entry(index.Value));
        Host = MultiRaftHost.Start(options, recovered, Log, Machines, Links, Now);
        Host.Connect(new FakeFront(Trace));
        Settle();
    }

    public HostFixture(params ReadOnlySpan<RecoveredGroup> groups) : this(Options, groups) { }

    public static HostOptions Options { get; } = new() { Node = Some.Node(1), BootId = 1, Seed = 1 };

    public Trace Trace { get; } = new();

    public MemoryLog Log { get; }

    public FakeLinks Links { get; }

    public FakeMachines Machines { get; }

    public MultiRaftHost Host { get; }

    public long Now { get; private set; } = 1_000_000;

    public GroupWorker Worker => Host.Worker;

    public RaftGroup Group => Host.Worker.Find(First)!;

    /// <summary>A host whose replica leads group 1 of <paramref name="voters"/> in term 6; its no-op at 11 is committed by replica 2 and applied.</summary>
    public static HostFixture Leading(int voters = 3, HostOptions? options = null)
    {
        HostFixture fixture = new(options ?? Options, Some.Recovered(1, voters));
        fixture.Lead();
        fixture.Trace.Take();
        fixture.Links.Take();
        return fixture;
    }

    public bool Step() => Worker.RunOnce(Now);

    public void Persist() => Host.LogWriter.RunOnce(Now);

    public void Apply() => Host.Applier.RunOnce();

    /// <summary>Runs the pumps until none has work. The clock stands still.</summary>
    public void Settle()
    {
        bool any;
        do any = Worker.RunOnce(Now) | Host.LogWriter.RunOnce(Now) | Host.Applier.RunOnce() | Host.Snapshots.RunOnce(Now);
        while (any);
    }

    public void After(long micros) => Now += micros;

    /// <summary>A frame of messages to replica 1 of group 1 arrives; nothing runs yet.</summary>
    public void Arrive(params ReadOnlySpan<Message> messages)
    {
        ByteWriter body = new();
        foreach (ref readonly Message message in messages) RaftMessageCodec.Write(body, First, message);
        Worker.OnFrame(Some.Node(2), FrameKind.RaftMessages, body.ToArray());
    }

    public void Receive(params ReadOnlySpan<Message> messages)
    {
        Arrive(messages);
        Settle();
    }

    /// <summary>Messages of any groups, from a node; and everything that follows.</summary>
    public void ReceiveFrom(int node, params ReadOnlySpan<(ulong Group, Message Message)> messages)
    {
        Worker.OnFrame(Some.Node(node), FrameKind.RaftMessages, Some.Body(messages));
        Settle();
    }

    /// <summary>A node says that it lives.</summary>
    public void Hear(int node, ulong bootId = 7, bool isStalled = false, bool isLeaving = false, uint losses = 0)
    {
        Worker.OnFrame(Some.Node(node), FrameKind.NodeHeartbeat, NodeWatch.Heartbeat(bootId, isStalled, isLeaving, losses)[PeerFrame.HeaderBytes..]);
        Settle();
    }

    /// <summary>Time passes in ticks, and everything happens that follows.</summary>
    public void Pass(long micros, Action? eachTick = null)
    {
        for (long end = Now + micros; Now < end;)
        {
            After(Math.Min(Options.TickMicros, end - Now));
            Settle();
            eachTick?.Invoke();
        }
    }

    /// <summary>Posts a proposal; the trace tells what becomes of it. Nothing runs yet.</summary>
    public void Propose(string name, int bytes = 3, ulong group = 1) => OnStep(now =>
    {
        ProposeResult result = Worker.Propose(now, new GroupId(group), 0, new byte[bytes], new FakeOwner(name, Trace));
        Trace.Add($"{name} {result.Status}{(result.Status == ProposeStatus.Appended ? $" {result.Index}" : "")}");
    });

    /// <summary>Posts a read; nothing runs yet.</summary>
    public void Read(string name) => OnStep(now =>
    {
        if (!Worker.TryRead(now, First, new FakeReader(name, Trace))) Trace.Add($"{name} not taken");
    });

    public void OnStep(Action<long> action) => Assert.True(Worker.TryPost(action, 0));

    /// <summary>The group of three that this node leads, whose options let it sleep at once, falls asleep: both followers have everything and agree.</summary>
    public void FallAsleep()
    {
        Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        for (int i = 0; i < 40 && !Group.IsAsleep; i++)
        {
            After(50_000);
            Settle();
            Receive(Some.Message(MessageKind.HibernateResponse, 2, 1, 6), Some.Message(MessageKind.HibernateResponse, 3, 1, 6));
        }

        Assert.True(Group.IsAsleep);
    }

    /// <summary>Replica 1 becomes the leader of group 1 in term 6; its no-op at 11 is committed by replica 2 and applied.</summary>
    public void Lead()
    {
        After(1_000_001);
        Settle();
        if (Group.Configuration.Members.Length > 1)
        {
            Receive(Some.Message(MessageKind.PreVoteResponse, 2, 1, 6));
            Receive(Some.Message(MessageKind.VoteResponse, 2, 1, 6));
            Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 11));
        }

        Assert.Equal((Role.Leader, new Term(6), new LogIndex(11)), (Group.Role, Group.Term, Group.Applied));
    }
}
