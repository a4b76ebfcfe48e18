using RaftKv.Contracts;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Tests;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>
/// Node n1 with the production host, state machines and front over a log, stores and links in memory. A test runs the pumps
/// and plays clients and the other nodes. Elections only happen when a test says so.
/// </summary>
internal sealed class FrontNode
{
    public const ulong BootId = 0xB001;
    public const long TickMicros = 50_000;
    private const long NeverMicros = 3_600_000_000;
    private static readonly GroupId S1 = new(1);

    public FrontNode(ShardMap map, Func<FrontOptions, FrontOptions>? front = null, Func<HostOptions, HostOptions>? host = null, Limits? limits = null)
    {
        Map = map;
        Trace trace = new();
        Links = new FakeLinks(trace) { Nodes = [.. map.Shards.SelectMany(shard => shard.Replicas).Select(replica => new NodeId(replica.NodeId)).Distinct().Where(node => node != N1)] };
        MemoryLog log = new(trace);
        SimShardStores stores = new();
        RecoveredLog born = NodeBirth.Run(new DiskIdentity(0xC1, N1, 0xD1, "n1", map.ToFile()), map, log, stores);
        HostOptions options = new() { Node = N1, BootId = 1, Seed = 1, ElectionTimeoutMicros = NeverMicros };
        Host = MultiRaftHost.Start(host?.Invoke(options) ?? options, born, log, new KvStateMachines(stores, limits ?? Limits.Default, Limits.Mebi, heldBytes: 64 * 1024), Links, Now);
        FrontOptions frontOptions = new("n1", BootId);
        Front = new Kv.Front(front?.Invoke(frontOptions) ?? frontOptions, map, Host.Worker, Links);
        Host.Connect(Front);
        Settle();
    }

    public static NodeId N1 { get; } = NodeOf("n1");

    public static NodeId N2 { get; } = NodeOf("n2");

    public static NodeId N3 { get; } = NodeOf("n3");

    public ShardMap Map { get; }

    public FakeLinks Links { get; }

    public MultiRaftHost Host { get; }

    public Kv.Front Front { get; }

    public long Now { get; private set; } = 1_000_000;

    /// <summary>The only node and replica of its shards; leads them in term 6, and the no-ops at 11 are applied.</summary>
    public static FrontNode Alone(int shards = 1, Func<FrontOptions, FrontOptions>? front = null, Func<HostOptions, HostOptions>? host = null, Limits? limits = null)
    {
        FrontNode node = new(ShardMap.Initial(["n1"], shards, 1), front, host, limits);
        node.Knows(N2);
        node.After(2 * NeverMicros);
        Assert.Equal(Role.Leader, node.Group.Role);
        return node;
    }

    /// <summary>Replica 1 of three; leads shard 1 in term 6. Replica 2 has acknowledged the no-op at 11.</summary>
    public static FrontNode LeaderOfThree()
    {
        FrontNode node = new(ShardMap.Initial(["n1", "n2", "n3"], 1, 3));
        node.Knows(N2, N3);
        node.After(2 * NeverMicros);
        node.Receive(node.From(2, MessageKind.PreVoteResponse, 6));
        node.Receive(node.From(2, MessageKind.VoteResponse, 6));
        node.Receive(node.From(2, MessageKind.AppendResponse, 6) with { Index = new LogIndex(11) });
        Assert.Equal((Role.Leader, 11UL), (node.Group.Role, node.Group.Applied.Value));
        node.Links.Take();
        return node;
    }

    /// <summary>Replica 1 of three, which follows replica 2 on n2 in term 6.</summary>
    public static FrontNode FollowerOfN2(Func<FrontOptions, FrontOptions>? front = null)
    {
        FrontNode node = new(ShardMap.Initial(["n1", "n2", "n3"], 1, 3), front);
        node.Knows(N2, N3);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6));
        node.Receive(node.ProvedHeartbeat(commit: 0));
        node.Links.Take();
        return node;
    }

    /// <summary>Holds no replica of shard 2, which is on n2 and n3.</summary>
    public static FrontNode WithoutShard2(params ReadOnlySpan<NodeId> known)
    {
        FrontNode node = new(ShardMap.Initial(["n1", "n2", "n3"], 3, 2));
        node.Knows(known);
        return node;
    }

    public static NodeId NodeOf(string name) => new(NodeIdentity.IdOf(name));

    /// <summary>The boot id under which this node knows another.</summary>
    public static ulong BootOf(NodeId node) => node == N2 ? 0xB002UL : 0xB003UL;

    public RaftGroup Group => Host.Worker.Find(S1)!;

    public void Knows(params ReadOnlySpan<NodeId> nodes)
    {
        foreach (NodeId node in nodes) Links.BootIds[node] = BootOf(node);
    }

    /// <summary>n2 says that it is alive, in its first life, with nothing else to tell.</summary>
    public void HearFromN2() => Deliver(N2, FrameKind.NodeHeartbeat, [.. BitConverter.GetBytes(BootOf(N2)), .. new byte[1 + 8 + 4]]);

    public void Step() => Host.Worker.RunOnce(Now);

    /// <summary>Runs the pumps until none has work. The clock stands still.</summary>
    public void Settle()
    {
        bool any;
        do any = Host.Worker.RunOnce(Now) | Host.LogWriter.RunOnce(Now) | Host.Applier.RunOnce();
        while (any);
    }

    public void After(long micros)
    {
        Now += micros;
        Settle();
    }

    public void Tick() => After(TickMicros);

    /// <summary>A key of shard <paramref name="shard"/>.</summary>
    public byte[] KeyIn(ulong shard)
    {
        for (int i = 0; ; i++)
        {
            byte[] key = System.Text.Encoding.UTF8.GetBytes($"key{i}");
            if (Map.ByKey(key).Id == shard) return key;
        }
    }

    /// <summary>A client's call arrives; nothing runs yet.</summary>
    public TestCall Post(KvRequest request, long deadlineMicros = 5_000_000)
    {
        TestCall call = new(request, Now + deadlineMicros);
        Assert.True(Host.Worker.TryPost(call, call.Request.Length));
        return call;
    }

    /// <summary>A client's call arrives, and the pumps run until they rest.</summary>
    public TestCall Call(KvRequest request, long deadlineMicros = 5_000_000)
    {
        TestCall call = Post(request, deadlineMicros);
        Settle();
        return call;
    }

    public TestCall Put(string value = "v", long deadlineMicros = 5_000_000, ulong shard = 1) => Call(new KvRequest(KvOperation.Put, KeyIn(shard), Entries(value)), deadlineMicros);

    public TestCall Get(long deadlineMicros = 5_000_000, ulong shard = 1) => Call(new KvRequest(KvOperation.Get, KeyIn(shard)), deadlineMicros);

    /// <summary>A read that may rely on the leader's lease, and therefore goes to the leader.</summary>
    public TestCall GetOfLeader(long deadlineMicros = 5_000_000) => Call(new KvRequest(KvOperation.Get, KeyIn(1), Consistency: KvConsistency.Lease), deadlineMicros);

    public Message From(ulong replica, MessageKind kind, ulong term) => new() { Kind = kind, From = new ReplicaId(replica), To = new ReplicaId(1), Term = new Term(term) };

    /// <summary>The newest mark that this node's replica has sent n2.</summary>
    public ulong SentMark() => TakeRaftMessages().Last(message => message.Mark != 0).Mark;

    /// <summary>n2, which leads in term 6, brings back the newest mark since the last look.</summary>
    /// <param name="commit">How far n2 says that it has committed; this replica only as far as that is here.</param>
    public Message ProvedHeartbeat(ulong commit) => From(2, MessageKind.Heartbeat, 6) with { Hint = new LogIndex(commit), Mark = SentMark() };

    /// <summary>n2 leads shard 1 in <paramref name="term"/> and replaces everything from <paramref name="index"/> on by a committed entry.</summary>
    public void IsReplacedByN2(ulong term, ulong index, ulong previousTerm) => Receive(From(2, MessageKind.Append, term) with
    {
        Index = new LogIndex(index - 1),
        LogTerm = new Term(previousTerm),
        Commit = new LogIndex(index),
        Entries = new Entry[] { new(new LogIndex(index), new Term(term), EntryKind.NoOp, 0, 0, 0, default) },
    });

    /// <summary>Messages for shard 1 arrive from n2.</summary>
    public void Receive(params ReadOnlySpan<Message> messages)
    {
        Post(messages);
        Settle();
    }

    /// <summary>The same; nothing runs yet.</summary>
    public void Post(params ReadOnlySpan<Message> messages)
    {
        ByteWriter body = new();
        foreach (ref readonly Message message in messages) RaftMessageCodec.Write(body, S1, message);
        Host.Worker.OnFrame(N2, FrameKind.RaftMessages, body.ToArray());
    }

    public void Deliver(NodeId from, FrameKind kind, byte[] body)
    {
        Host.Worker.OnFrame(from, kind, body);
        Settle();
    }

    /// <summary>n2 forwards a request to this node.</summary>
    public void Forwarded(ulong number, KvRequest request, ulong group = 1, ulong? originBoot = null, ulong addresseeBoot = BootId) =>
        Deliver(N2, FrameKind.Forward, ForwardBody(number, request, group, originBoot ?? BootOf(N2), addresseeBoot));

    /// <summary>An answer to what this node forwarded arrives.</summary>
    public void Answered(NodeId from, ulong number, KvResponse response, ulong originBoot = BootId)
    {
        ByteWriter body = new();
        body.U8(1);
        body.U64(originBoot);
        body.U64(number);
        response.Write(body);
        Deliver(from, FrameKind.Answer, body.ToArray());
    }

    public static byte[] ForwardBody(ulong number, KvRequest request, ulong group = 1, ulong originBoot = 0xB002, ulong addresseeBoot = BootId, byte hops = 1, ulong remainingMicros = 1_000_000)
    {
        ByteWriter body = new();
        body.U8(1);
        body.U64(originBoot);
        body.U64(addresseeBoot);
        body.U64(number);
        body.U8(hops);
        body.U64(remainingMicros);
        body.U64(group);
        body.U64(1);
        body.Block(request.Encode());
        return body.ToArray();
    }

    /// <summary>What was forwarded since the last look.</summary>
    public SentForward[] TakeForwards() => [.. Links.Take().Where(frame => frame.Kind == FrameKind.Forward).Select(SentForward.Parse)];

    /// <summary>What was answered since the last look.</summary>
    public SentAnswer[] TakeAnswers() => [.. Links.Take().Where(frame => frame.Kind == FrameKind.Answer).Select(SentAnswer.Parse)];

    /// <summary>What this node's replicas said to others since the last look.</summary>
    public Message[] TakeRaftMessages() => [.. Links.Take().Where(frame => frame.Kind == FrameKind.RaftMessages).SelectMany(frame => Parse(frame.Body))];

    private static List<Message> Parse(byte[] body)
    {
        List<Message> messages = [];
        ByteReader reader = new(body);
        while (reader.Remaining > 0) messages.Add(RaftMessageCodec.Read(ref reader, out _)!.Value);
        return messages;
    }

    private static byte[] Entries(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}

/// <summary>A client's call; completing it twice fails the test.</summary>
internal sealed class TestCall(KvRequest request, long deadlineMicros) : KvCall(request.Encode(), request.Operation, KeyHash.Of(request.Key.Span), deadlineMicros)
{
    public KvResponse? Response { get; private set; }

    /// <summary>The response of a call that must have ended.</summary>
    public KvResponse Ended => Response ?? throw new InvalidOperationException("the call is still under way");

    protected override void OnCompleted(KvResponse response)
    {
        Assert.Null(Response);
        Response = response;
    }
}

internal sealed record SentForward(NodeId To, ulong OriginBoot, ulong AddresseeBoot, ulong Number, byte Hops, ulong RemainingMicros, ulong Group, ulong EpochVersion, byte[] Request)
{
    public static SentForward Parse(SentFrame frame)
    {
        ByteReader reader = new(frame.Body);
        Assert.Equal(1, reader.U8());
        SentForward parsed = new(frame.To, reader.U64(), reader.U64(), reader.U64(), reader.U8(), reader.U64(), reader.U64(), reader.U64(), reader.Block().ToArray());
        reader.ExpectEnd();
        return parsed;
    }
}

internal sealed record SentAnswer(NodeId To, ulong OriginBoot, ulong Number, KvResponse Response)
{
    public static SentAnswer Parse(SentFrame frame)
    {
        ByteReader reader = new(frame.Body);
        Assert.Equal(1, reader.U8());
        SentAnswer parsed = new(frame.To, reader.U64(), reader.U64(), KvResponse.Read(ref reader));
        reader.ExpectEnd();
        return parsed;
    }
}
