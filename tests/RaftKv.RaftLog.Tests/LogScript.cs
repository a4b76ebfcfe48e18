using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>A reproducible life of a log: a birth, then batches over several groups with new terms, truncations and large entries.</summary>
internal sealed class LogScript(ulong seed, int batches, int groups = 3)
{
    public const long SegmentBytes = 48 * 1024;
    public const int ZeroAheadBytes = 8 * 1024;

    private readonly SplitMix _random = new(seed);
    private readonly Dictionary<ulong, (ulong First, ulong Last, ulong Term)> _groups = [];

    public static DiskIdentity Identity { get; } = new(0xC1, new NodeId(0x51), 0xD1, "n1", "map"u8.ToArray());

    /// <summary>Adds batch after batch; <paramref name="commit"/> has to call Commit.</summary>
    public void Run(IRaftLog log, Action commit)
    {
        for (ulong id = 1; id <= (ulong)groups; id++)
        {
            GroupId group = new(id);
            log.AddCommitPoint(group, PointAt(10, 5), keepsLogBehind: false);
            log.AddHardState(group, new ReplicaId(1), new HardState(new Term(5), ReplicaId.None, new LogIndex(10)));
            _groups[id] = (11, 10, 5);
        }

        log.AddInitialised(Identity);
        commit();
        for (int i = 1; i < batches; i++)
        {
            int touched = 1 + (int)_random.Below(groups);
            for (int j = 0; j < touched; j++) AddToOneGroup(log, 1 + (ulong)_random.Below(groups));
            commit();
        }
    }

    public static CommitPoint PointAt(ulong index, ulong term) =>
        new(new ReplicaId(1), 1, new LogIndex(index), new Term(term), Configuration.OfVoters(new Member(new ReplicaId(1), new NodeId(0x51)), new Member(new ReplicaId(2), new NodeId(0x52))), 1, 1);

    private void AddToOneGroup(IRaftLog log, ulong id)
    {
        var (first, last, term) = _groups[id];
        if (_random.Below(4) == 0)
        {
            term++;
            // A new leader's entries may replace a tail that was never committed.
            last -= (ulong)_random.Below((long)Math.Min(3, last + 1 - first) + 1);
            log.AddHardState(new GroupId(id), new ReplicaId(1), new HardState(new Term(term), new ReplicaId(1 + (ulong)_random.Below(2)), new LogIndex(first - 1)));
        }

        Entry[] entries = new Entry[1 + _random.Below(4)];
        for (int i = 0; i < entries.Length; i++)
            entries[i] = new Entry(new LogIndex(++last), new Term(term), EntryKind.Command, 0, last * 3, last * 5, Payload());
        log.AddEntries(new GroupId(id), new ReplicaId(1), entries);
        _groups[id] = (first, last, term);
    }

    private byte[] Payload()
    {
        byte[] bytes = new byte[_random.Below(8) == 0 ? 2_000 + _random.Below(6_000) : _random.Below(40)];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)_random.Next();
        return bytes;
    }
}
