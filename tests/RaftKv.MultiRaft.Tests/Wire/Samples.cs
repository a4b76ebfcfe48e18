using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Wire;

/// <summary>Values for the wire formats: fixed ones for the golden file, and random ones by seed.</summary>
internal static class Samples
{
    public static readonly Configuration Joint = new(
        new ConfigurationHalf([Member(1), Member(2), Member(0x7_0001)], [Member(0x7_0002)]),
        new ConfigurationHalf([Member(1), Member(2), Member(3)], []),
        new ReplicaId(0x7_0003));

    public static readonly Hello Hello = new(1, 2, 0x0102030405060708, 0x1112131415161718, new NodeId(0x2122232425262728), 0x3132333435363738, 0x4142434445464748, new NodeId(0x5152535455565758), "n1", "http://n1:2379", MetDiskId: 0x6162636465666768);

    /// <summary>A message with every field set to something recognisable and an entry of every kind.</summary>
    public static readonly Message Append = new()
    {
        Kind = MessageKind.Append,
        From = new ReplicaId(0x0000_0000_0007_0002),
        To = new ReplicaId(3),
        Term = new Term(7),
        Index = new LogIndex(41),
        LogTerm = new Term(6),
        Commit = new LogIndex(40),
        Entries = new Entry[]
        {
            new(new LogIndex(42), new Term(6), EntryKind.NoOp, 0, 0, 0, default),
            new(new LogIndex(43), new Term(7), EntryKind.Command, 1, 0x0000_0198_0000_0001, 0x99, "value"u8.ToArray()),
            new(new LogIndex(44), new Term(7), EntryKind.Configuration, 0, 5, 0, Joint.ToBytes()),
        },
    };

    public static readonly SnapshotId SnapshotId = new(new GroupId(0x0A0B), new ReplicaId(2), new ReplicaId(0x7_0002), 0x6162636465666768);

    public static readonly SnapshotOffer Offer = new(SnapshotId, new Term(7),
        [new CheckpointFile("000012.sst", 0x0102030405), new CheckpointFile("CURRENT", 16), new CheckpointFile("empty-file_1", 0)]);

    public static readonly SnapshotFetch Fetch = new(SnapshotId, 1, 0x0102030405);

    public static readonly SnapshotChunk Chunk = new(SnapshotId, 1, 0x0102030405, "piece"u8.ToArray());

    public static readonly SnapshotEnd End = new(SnapshotId, new LogIndex(44));

    /// <summary>One message of each kind, in the order of their numbers.</summary>
    public static IEnumerable<Message> OneOfEachKind() => Enum.GetValues<MessageKind>().Select(kind => kind == MessageKind.Append ? Append : new Message
    {
        Kind = kind,
        From = new ReplicaId(1),
        To = new ReplicaId(2),
        Term = new Term(7),
        Index = new LogIndex(10 + (ulong)kind),
        LogTerm = new Term(6),
        Commit = new LogIndex(9),
        Hint = new LogIndex(8),
        ReadRound = 100 + (ulong)kind,
        Mark = RaftMessageCodec.HasMark(kind) ? 0x6162636465666768UL : 0,
        Rejected = kind is MessageKind.PreVoteResponse or MessageKind.AppendResponse,
        IsHandOver = kind == MessageKind.Vote,
    });

    public static Message RandomMessage(Random random)
    {
        MessageKind[] kinds = Enum.GetValues<MessageKind>();
        MessageKind kind = kinds[random.Next(kinds.Length)];
        LogIndex index = new((ulong)random.NextInt64(1L << 40));
        return new Message
        {
            Kind = kind,
            From = new ReplicaId(Number(random)),
            To = new ReplicaId(Number(random)),
            Term = new Term(Number(random)),
            Index = index,
            LogTerm = new Term(Number(random)),
            Commit = new LogIndex(Number(random)),
            Hint = new LogIndex(Number(random)),
            ReadRound = Number(random),
            Mark = RaftMessageCodec.HasMark(kind) ? Number(random) : 0,
            Rejected = random.Next(2) == 0,
            IsHandOver = random.Next(2) == 0,
            Entries = Enumerable.Range(1, random.Next(4)).Select(n => RandomEntry(random, index + (ulong)n)).ToArray(),
        };
    }

    public static Configuration RandomConfiguration(Random random) => new(RandomHalf(random), RandomHalf(random));

    /// <summary>Small numbers, numbers whose bytes all differ, and the largest.</summary>
    public static ulong Number(Random random) => random.Next(4) switch
    {
        0 => (ulong)random.Next(4),
        1 => ulong.MaxValue - (ulong)random.Next(4),
        _ => (ulong)random.NextInt64(),
    };

    /// <summary>By content: payloads are compared as bytes.</summary>
    public static void AssertSame(Message expected, Message actual)
    {
        Assert.Equal(expected with { Entries = default }, actual with { Entries = default });
        Assert.Equal(expected.Entries.Length, actual.Entries.Length);
        for (int i = 0; i < expected.Entries.Length; i++)
        {
            Entry left = expected.Entries.Span[i];
            Entry right = actual.Entries.Span[i];
            Assert.Equal(left with { Payload = default }, right with { Payload = default });
            Assert.Equal(left.Payload.ToArray(), right.Payload.ToArray());
        }
    }

    /// <summary>By content: files and pieces are compared one by one.</summary>
    public static void AssertSame(SnapshotOffer expected, SnapshotOffer actual)
    {
        Assert.Equal(expected with { Files = [] }, actual with { Files = [] });
        Assert.Equal(expected.Files, actual.Files);
    }

    public static void AssertSame(SnapshotChunk expected, SnapshotChunk actual)
    {
        Assert.Equal(expected with { Bytes = default }, actual with { Bytes = default });
        Assert.Equal(expected.Bytes.ToArray(), actual.Bytes.ToArray());
    }

    private static Member Member(ulong replica) => new(new ReplicaId(replica), new NodeId(0x1000 + replica));

    private static Entry RandomEntry(Random random, LogIndex index)
    {
        byte[] payload = new byte[random.Next(20)];
        random.NextBytes(payload);
        EntryKind kind = (EntryKind)random.Next(3);
        if (kind == EntryKind.Configuration) payload = RandomConfiguration(random).ToBytes();
        return new Entry(index, new Term(Number(random)), kind, (byte)random.Next(256), Number(random), Number(random), payload);
    }

    private static ConfigurationHalf RandomHalf(Random random)
    {
        ulong[] ids = [.. Enumerable.Range(0, random.Next(8)).Select(_ => (ulong)random.NextInt64(1, 1L << 32)).Distinct().Order()];
        ILookup<bool, Member> members = ids.ToLookup(_ => random.Next(3) > 0, Member);
        return new ConfigurationHalf([.. members[true]], [.. members[false]]);
    }
}
