using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// A log of five groups: 1 goes through a joint configuration with a learner, and is cut within it; 2 gets a snapshot, and with it a generation and a replica id of
/// a later term; 3 is removed; 4 was made by a message and waits for its first snapshot; 5 was too, and is removed.
/// </summary>
internal static class MembershipScript
{
    private static readonly ReplicaId s_first = new(1);
    private static readonly ReplicaId s_added = new(7 << 16 | 1);
    private static readonly Member[] s_members = [new(s_first, new NodeId(0x51)), new(new ReplicaId(2), new NodeId(0x52)), new(s_added, new NodeId(0xA5A0_4218_17D3_37EF))];

    private static readonly Configuration s_joint = new(new ConfigurationHalf([s_members[0], s_members[1]], [s_members[2]]), new ConfigurationHalf([s_members[0], s_members[1]], []));
    private static readonly Configuration s_final = new(new ConfigurationHalf([s_members[0], s_members[2]], []), ConfigurationHalf.Empty, new ReplicaId(7 << 16 | 2));

    public static void Run(SegmentedRaftLog log)
    {
        foreach (ulong id in (ulong[])[1, 2, 3]) log.AddCommitPoint(new GroupId(id), LogScript.PointAt(10, 5), keepsLogBehind: false);
        log.AddInitialised(LogScript.Identity);
        log.Commit();

        log.AddHardState(new GroupId(1), s_first, new HardState(new Term(7), s_first, new LogIndex(12)));
        log.AddEntries(new GroupId(1), s_first, [
            EntryOf(11, EntryKind.NoOp, []), EntryOf(12, EntryKind.Configuration, s_joint.ToBytes()), EntryOf(13, EntryKind.Command, [1, 2, 3]), EntryOf(14, EntryKind.Configuration, s_final.ToBytes()),
        ]);
        log.AddCommitPoint(new GroupId(2), new CommitPoint(s_added, 2, new LogIndex(40), new Term(7), s_final, 1, 3), keepsLogBehind: false);
        log.AddEntries(new GroupId(2), s_added, [EntryOf(41, EntryKind.Command, [4])]);
        log.Commit();

        log.AddTombstone(new GroupId(3), s_first);
        log.AddCommitPoint(new GroupId(1), new CommitPoint(s_first, 1, new LogIndex(12), new Term(7), s_joint, 1, 2), keepsLogBehind: true);
        foreach (ulong id in (ulong[])[4, 5]) log.AddCommitPoint(new GroupId(id), new CommitPoint(s_added, 0, LogIndex.Zero, Term.Zero, Configuration.Empty, 0, 0), keepsLogBehind: false);
        log.Commit();

        log.AddTombstone(new GroupId(5), s_added);
        log.Commit();
    }

    private static Entry EntryOf(ulong index, EntryKind kind, byte[] payload) => new(new LogIndex(index), new Term(7), kind, 1, 0x0000_0198_0000_0000 + index, index * 3, payload);
}
