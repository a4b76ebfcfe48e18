using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>Short ways to say what tests are made of. Replica n lives on node 100 + n.</summary>
internal static class Some
{
    /// <summary>Every group's log begins after this index, of term 5.</summary>
    public static readonly LogIndex Birth = new(10);

    public static NodeId Node(int n) => new(100 + (ulong)n);

    public static Configuration Voters(int count) =>
        Configuration.OfVoters([.. Enumerable.Range(1, count).Select(n => new Member(new ReplicaId((ulong)n), Node(n)))]);

    public static Entry Entry(ulong index, ulong term = 5, int payloadBytes = 3) =>
        new(new LogIndex(index), new Term(term), EntryKind.Command, 0, 0, 0, new byte[payloadBytes]);

    public static Entry ConfigurationEntry(ulong index, ulong term, Configuration configuration) =>
        new(new LogIndex(index), new Term(term), EntryKind.Configuration, 0, 0, 0, configuration.ToBytes());

    /// <summary>Voters and learners, replica n on node n.</summary>
    public static ConfigurationHalf Half(ulong[] voters, params ulong[] learners) => new([.. voters.Select(Member)], [.. learners.Select(Member)]);

    public static Member Member(ulong replica) => new(new ReplicaId(replica), Node((int)replica));

    public static Message Message(MessageKind kind, ulong from, ulong to, ulong term, ulong index = 0, ulong logTerm = 0, ulong commit = 0, params Entry[] entries) => new()
    {
        Kind = kind,
        From = new ReplicaId(from),
        To = new ReplicaId(to),
        Term = new Term(term),
        Index = new LogIndex(index),
        LogTerm = new Term(logTerm),
        Commit = new LogIndex(commit),
        Entries = entries,
    };

    /// <summary>The body of a frame of Raft messages.</summary>
    public static byte[] Body(params ReadOnlySpan<(ulong Group, Message Message)> messages)
    {
        ByteWriter writer = new();
        foreach (var (group, message) in messages) RaftMessageCodec.Write(writer, new GroupId(group), message);
        return writer.ToArray();
    }

    /// <summary>What a start finds of a group of <paramref name="voters"/> whose replica here is 1.</summary>
    public static RecoveredGroup Recovered(ulong group, int voters, ulong lastIndex = 10, ulong term = 5, ulong commit = 10) => new(
        new GroupId(group),
        new CommitPoint(new ReplicaId(1), 1, Birth, new Term(5), Voters(voters), 1, 1),
        new HardState(new Term(term), ReplicaId.None, new LogIndex(commit)),
        lastIndex > 10 ? [(new LogIndex(11), new Term(5))] : [],
        new LogIndex(lastIndex));

    public static RaftGroup Group(ulong group, int voters)
    {
        RecoveredGroup recovered = Recovered(group, voters);
        RaftOptions options = new() { Group = recovered.Group, Replica = recovered.CommitPoint.Replica, Seed = group };
        return new RaftGroup(options, new RaftStart
        {
            HardState = recovered.HardState,
            Configuration = recovered.CommitPoint.Configuration,
            SnapshotIndex = Birth,
            SnapshotTerm = new Term(5),
            TermRuns = recovered.TermRuns,
            LastIndex = recovered.LastIndex,
            Applied = Birth,
        }, now: 0);
    }
}
