using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// Which disk each peer had when it was first met. A node that comes back under its name with another disk has forgotten its votes and its
/// log; were it let in, it could vote again and help to lose what was acknowledged (design §7). It is refused, and can come back only as
/// new replicas.
/// </summary>
/// <remarks>
/// A first meeting is durable before anything that peer says counts. The file is appended to; a torn record at its end was never relied on.
/// <code>
/// record: node u64 | disk id u64 | CRC-32C of both u32 | zero u32
/// </code>
/// Called from the links' threads.
/// </remarks>
public sealed class PeerDisks
{
    public const string FileName = "peer-disks";
    private const int RecordBytes = 24;
    private readonly SortedDictionary<NodeId, ulong> _known = [];
    private readonly Lock _lock = new();
    private readonly IDiskFile _file;
    private long _end;

    private PeerDisks(IDiskFile file) => _file = file;

    /// <summary>Opens or makes the file. What it returns is durable. Throws <see cref="DiskFailedException"/>, also on rot.</summary>
    public static PeerDisks Open(IDisk disk)
    {
        bool exists = disk.List().Contains(FileName);
        PeerDisks disks = new(exists ? disk.Open(FileName) : disk.Create(FileName));
        disks.Load();
        disks._file.Sync();
        disk.SyncDirectory();
        return disks;
    }

    /// <summary>Why the peer may not take part, in one clear line; null when it may, and then its disk is remembered durably.</summary>
    public string? Refusal(Hello other)
    {
        lock (_lock)
        {
            bool isKnown = _known.TryGetValue(other.Node, out ulong known);
#if MUTANTS
            if (Mutants.On(Mutant.WipedDiskVotesAgain)) known = other.DiskId;
#endif
            if (isKnown)
                return known == other.DiskId ? null : $"node {other.Name} has disk {other.DiskId:x16}, it was met with disk {known:x16}: its data directory was lost or swapped, and it may not vote again under this name";
            Append(other.Node, other.DiskId);
            return null;
        }
    }

    /// <summary>The disk with which the node was first met; 0 if it never was.</summary>
    public ulong DiskOf(NodeId node)
    {
        lock (_lock) return _known.GetValueOrDefault(node);
    }

    public bool Knows(NodeId node)
    {
        lock (_lock) return _known.ContainsKey(node);
    }

    private void Append(NodeId node, ulong diskId)
    {
        ByteWriter record = new(RecordBytes);
        record.U64(node.Value);
        record.U64(diskId);
        record.U32(Crc32C.Of(record.Written));
        record.U32(0);
        _file.Write(_end, record.Written);
        _file.Sync();
        _end += RecordBytes;
        _known.Add(node, diskId);
    }

    private void Load()
    {
        PeerDisksContent content = Read(_file);
        if (content.RotAt is { } offset) throw new DiskFailedException($"{FileName} at offset {offset}: the record does not check, but one behind it does: which disks the peers had is not known any more");
        foreach (var (node, diskId) in content.Known) _known[node] = diskId;
        _end = content.End;
        // What reads back may not be on the disk: write it again, so that the sync that follows covers it.
        byte[] all = new byte[_end];
        _file.Read(0, all);
        _file.Write(0, all);
    }

    /// <summary>What the file says. A record is written when the one before is durable; so only the last may be torn.</summary>
    public static PeerDisksContent Read(IDiskFile file)
    {
        byte[] bytes = new byte[RecordBytes];
        List<(NodeId Node, ulong DiskId)> known = [];
        long? end = null;
        long offset = 0;
        int read;
        for (; (read = file.Read(offset, bytes)) == RecordBytes; offset += RecordBytes)
        {
            ByteReader reader = new(bytes);
            (NodeId Node, ulong DiskId) record = (new NodeId(reader.U64()), reader.U64());
            if (reader.U32() != Crc32C.Of(bytes.AsSpan(0, 16)))
            {
                end ??= offset;
                continue;
            }

            if (end is { } rot) return new PeerDisksContent(known, rot, IsTorn: false, rot);
            known.Add(record);
        }

        return new PeerDisksContent(known, end ?? offset, IsTorn: end is not null || read > 0, RotAt: null);
    }
}

/// <summary>What the file of peers' disks says.</summary>
/// <param name="End">Where the records that count end.</param>
/// <param name="IsTorn">A record that is not whole follows; it was never relied on.</param>
/// <param name="RotAt">Where a record does not check although a later one does; null if there is none.</param>
public sealed record PeerDisksContent(IReadOnlyList<(NodeId Node, ulong DiskId)> Known, long End, bool IsTorn, long? RotAt);
