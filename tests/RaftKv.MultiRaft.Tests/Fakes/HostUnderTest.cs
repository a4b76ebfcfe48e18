using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>One node of a <see cref="TestNetwork"/>: a host over fakes that can be killed and started again with what its log made durable.</summary>
internal sealed class HostUnderTest : IPeerLinks
{
    private readonly TestNetwork _network;
    private readonly HostOptions _options;
    private readonly RecoveredGroup[] _born;

    public HostUnderTest(TestNetwork network, int number, HostOptions options, params ReadOnlySpan<RecoveredGroup> born)
    {
        _network = network;
        _options = options with { Node = Some.Node(number), Seed = (ulong)number };
        _born = [.. born];
        Id = Some.Node(number);
        Log = new MemoryLog(Trace);
        Machines = new FakeMachines(Trace);
        Host = Start();
    }

    public NodeId Id { get; }

    public Trace Trace { get; } = new();

    public MemoryLog Log { get; }

    public FakeMachines Machines { get; }

    public MultiRaftHost Host { get; private set; }

    public bool IsRunning { get; private set; }

    public RaftGroup Group => GroupOf(1);

    /// <summary>The live state machine of group 1.</summary>
    public FakeMachine Machine => (FakeMachine)Host.Machines.First();

    public RaftGroup GroupOf(ulong group) => Host.Worker.Find(new GroupId(group))!;

    /// <summary>The process is gone, with everything that is not durable.</summary>
    public void Kill() => IsRunning = false;

    public void Restart()
    {
        Kill();
        Host = Start();
    }

    /// <summary>One turn of every pump.</summary>
    public bool RunOnce() => IsRunning && (Step() | Persist() | Apply() | Snapshots());

    public bool Step() => Host.Worker.RunOnce(_network.Now);

    public bool Persist() => Host.LogWriter.RunOnce(_network.Now);

    public bool Apply() => Host.Applier.RunOnce();

    public bool Snapshots() => Host.Snapshots.RunOnce(_network.Now);

    public void OnStep(Action<long> action) => Assert.True(Host.Worker.TryPost(action, 0));

    /// <summary>Posts a proposal to group 1; the trace tells what becomes of it. Nothing runs yet.</summary>
    public void Propose(string name) => OnStep(now =>
    {
        ProposeResult result = Host.Worker.Propose(now, new GroupId(1), 0, new byte[3], new FakeOwner(name, Trace));
        Trace.Add($"{name} {result.Status}{(result.Status == ProposeStatus.Appended ? $" {result.Index}" : "")}");
    });

    public void Read(string name) => OnStep(now => Assert.True(Host.Worker.TryRead(now, new GroupId(1), new FakeReader(name, Trace))));

    /// <summary>Messages to this host's replicas arrive; nothing runs yet.</summary>
    public void Arrive(params ReadOnlySpan<(ulong Group, Message Message)> messages) => Host.Worker.OnFrame(Some.Node(3), FrameKind.RaftMessages, Some.Body(messages));

    /// <summary>A frame arrives from node <paramref name="from"/>; nothing runs yet.</summary>
    public void Arrive(int from, byte[] frame) => Host.Worker.OnFrame(Some.Node(from), (FrameKind)frame[8], frame[PeerFrame.HeaderBytes..]);

    public SendStatus Send(NodeId to, ReadOnlySpan<byte> frame)
    {
        _network.Send(Id, to, frame.ToArray(), isBulk: false);
        return SendStatus.Queued;
    }

    public void SendBulk(NodeId to, ReadOnlySpan<byte> frame) => _network.Send(Id, to, frame.ToArray(), isBulk: true);

    public IReadOnlyCollection<NodeId> Nodes => [Id == Some.Node(1) ? Some.Node(2) : Some.Node(1)];

    public ulong BootIdOf(NodeId node) => 1;

    private MultiRaftHost Start()
    {
        MultiRaftHost host = MultiRaftHost.Start(_options, new RecoveredLog(null, [.. _born.Select(Log.Recover)]), Log, Machines, this, _network.Now);
        host.Connect(new FakeFront(Trace));
        IsRunning = true;
        return host;
    }
}
