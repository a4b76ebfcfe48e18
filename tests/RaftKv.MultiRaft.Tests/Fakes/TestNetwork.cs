using System.Buffers;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>
/// Two hosts, nodes 1 and 2, with replicas 1 and 2 of the same groups of three; the third voter, node 3, has everything and is on node 1's side.
/// Time, frames and pumps move only when a test says so.
/// </summary>
internal sealed class TestNetwork
{
    private static readonly NodeId Third = Some.Node(3);

    public TestNetwork(HostOptions? options = null, int groups = 1)
    {
        RecoveredGroup[] first = [.. Enumerable.Range(1, groups).Select(group => Some.Recovered((ulong)group, 3))];
        RecoveredGroup[] second = [.. first.Select(group => group with { CommitPoint = group.CommitPoint with { Replica = new ReplicaId(2) } })];
        One = new HostUnderTest(this, 1, options ?? Options, first);
        Two = new HostUnderTest(this, 2, options ?? Options, second);
        foreach (HostUnderTest host in new[] { One, Two })
            foreach (FakeMachine machine in host.Machines.Opened.Values) machine.OnBeginFlush = flushed => flushed.Flush();
    }

    /// <summary>Logs are cut early and to the end; files travel in pieces of 16 bytes.</summary>
    public static HostOptions Options { get; } = new() { Node = Some.Node(1), BootId = 1, Seed = 1, SnapshotEntries = 5, CatchUpEntries = 0, SnapshotChunkBytes = 16 };

    public HostUnderTest One { get; }

    public HostUnderTest Two { get; }

    public long Now { get; private set; } = 1_000_000;

    public List<FrameOnItsWay> InFlight { get; } = [];

    /// <summary>Frames that never arrive.</summary>
    public Func<FrameOnItsWay, bool> Loses { get; set; } = static _ => false;

    /// <summary>Every frame of snapshots that was sent, in order, arrived or not.</summary>
    public List<FrameOnItsWay> SnapshotFrames { get; } = [];

    /// <summary>Node 1 leads group 1 in term 6 and has applied and cut away entries 11 … 21; node 2, cut off so far, has none of them and is back.</summary>
    public static TestNetwork Behind(HostOptions? options = null, int groups = 1)
    {
        TestNetwork network = new(options, groups);
        network.Loses = frame => frame.Touches(network.Two);
        network.Pass(2_000_000);
        for (ulong group = 1; group <= (ulong)groups; group++) Assert.Equal(Role.Leader, network.One.GroupOf(group).Role);
        for (ulong group = 1; group <= (ulong)groups; group++) network.Fill(group, 10);
        network.Pass(100_000);
        for (ulong group = 1; group <= (ulong)groups; group++) Assert.Equal((21UL, 21UL), (network.One.GroupOf(group).SnapshotIndex.Value, network.One.GroupOf(group).LastIndex.Value));
        network.One.Trace.Take();
        network.Two.Trace.Take();
        network.Loses = static _ => false;
        return network;
    }

    /// <summary>Node 1 commits and applies so many entries in a group.</summary>
    public void Fill(ulong group, int entries)
    {
        for (int i = 0; i < entries; i++)
            One.OnStep(now => Assert.Equal(ProposeStatus.Appended, One.Host.Worker.Propose(now, new GroupId(group), 0, new byte[3], new FakeOwner("filler", new Trace())).Status));
        Settle();
    }

    public void Send(NodeId from, NodeId to, byte[] frame, bool isBulk)
    {
        ReadOnlySequence<byte> bytes = new(frame);
        Assert.True(PeerFrame.TryRead(ref bytes, out FrameKind kind, out byte[] body));
        FrameOnItsWay sent = new(from, to, kind, body);
        Assert.Equal(isBulk, sent.IsSnapshot);
        if (sent.IsSnapshot) SnapshotFrames.Add(sent);
        if (!Loses(sent)) InFlight.Add(sent);
    }

    /// <summary>Runs everything that has work, and delivers, until nothing has. The clock stands still.</summary>
    public void Settle()
    {
        for (int budget = 100_000; ; budget--)
        {
            Assert.True(budget > 0, "it never comes to rest");
            if (One.RunOnce() | Two.RunOnce()) continue;
            if (InFlight.Count == 0) return;
            Deliver(0);
        }
    }

    /// <summary>Delivers one frame.</summary>
    public void Deliver(int position)
    {
        FrameOnItsWay frame = InFlight[position];
        InFlight.RemoveAt(position);
        Deliver(frame);
    }

    public void Deliver(FrameOnItsWay frame)
    {
        if (frame.To == Third)
        {
            AnswerAsThird(frame);
            return;
        }

        HostUnderTest to = frame.To == One.Id ? One : Two;
        if (to.IsRunning) to.Host.Worker.OnFrame(frame.From, frame.Kind, frame.Body);
    }

    /// <summary>Time passes in ticks, and everything happens that follows.</summary>
    public void Pass(long micros)
    {
        for (long end = Now + micros; Now < end;)
        {
            Now = Math.Min(end, Now + 50_000);
            Settle();
        }
    }

    public void After(long micros) => Now += micros;

    /// <summary>Time passes until the condition holds; within a minute.</summary>
    public void Until(Func<bool> condition)
    {
        for (long end = Now + 60_000_000; !condition(); Pass(50_000)) Assert.True(Now < end, $"never; {One.Host.Snapshots} | {Two.Host.Snapshots} | {One.Group} | {Two.Group}");
    }

    public int CountSent(FrameKind kind) => SnapshotFrames.Count(frame => frame.Kind == kind);

    /// <summary>The third voter says yes to node 1 and has whatever it sends.</summary>
    private void AnswerAsThird(FrameOnItsWay frame)
    {
        if (frame.Kind != FrameKind.RaftMessages || frame.From != One.Id) return;
        ByteReader reader = new(frame.Body);
        while (reader.Remaining > 0)
        {
            Message message = Assert.NotNull(RaftMessageCodec.Read(ref reader, out GroupId group));
            if (AnswerTo(message) is { } answer) One.Arrive((group.Value, answer with { From = message.To, To = message.From, Term = message.Term }));
        }
    }

    private static Message? AnswerTo(Message message) => message.Kind switch
    {
        MessageKind.PreVote => Some.Message(MessageKind.PreVoteResponse, 0, 0, 0),
        MessageKind.Vote => Some.Message(MessageKind.VoteResponse, 0, 0, 0),
        MessageKind.Append => Some.Message(MessageKind.AppendResponse, 0, 0, 0, message.Index.Value + (ulong)message.Entries.Length),
        MessageKind.Heartbeat => Some.Message(MessageKind.HeartbeatResponse, 0, 0, 0) with { ReadRound = message.ReadRound },
        _ => null,
    };
}

/// <summary>One whole frame between two nodes.</summary>
internal sealed record FrameOnItsWay(NodeId From, NodeId To, FrameKind Kind, byte[] Body)
{
    public bool IsSnapshot => Kind is FrameKind.SnapshotOffer or FrameKind.SnapshotFetch or FrameKind.SnapshotChunk or FrameKind.SnapshotEnd;

    public bool Touches(HostUnderTest host) => From == host.Id || To == host.Id;
}
