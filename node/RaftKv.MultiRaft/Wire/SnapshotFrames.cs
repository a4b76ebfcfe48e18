using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Wire;

/// <summary>Names one transfer of a snapshot: whose, and which.</summary>
/// <param name="From">The replica it was made of.</param>
/// <param name="To">The replica it is for.</param>
/// <param name="Number">Random, drawn by the sender; another attempt has another.</param>
public readonly record struct SnapshotId(GroupId Group, ReplicaId From, ReplicaId To, ulong Number)
{
    internal void Write(ByteWriter writer)
    {
        writer.U64(Group.Value);
        writer.U64(From.Value);
        writer.U64(To.Value);
        writer.U64(Number);
    }

    internal static SnapshotId Read(ref ByteReader reader) => new(new GroupId(reader.U64()), new ReplicaId(reader.U64()), new ReplicaId(reader.U64()), reader.U64());

    public override string ToString() => $"{Group} {From}→{To} {Number:x16}";
}

/// <summary>
/// A snapshot's files, to be fetched piece by piece by the replica that needs them: the receiver asks for one piece after the other, so that
/// it sets the pace, what is lost is asked for again, and the sender remembers nothing but the files.
/// </summary>
/// <param name="Term">The sender's, taken after the snapshot was made.</param>
/// <remarks>
/// Frames. All begin with: group u64 | from replica u64 | to replica u64 | number u64
/// <code>
/// SnapshotOffer  … | term u64 | file count u32 | (name (block) | length u64)…
/// SnapshotFetch  … | file u32 (position in the offer) | offset u64
/// SnapshotChunk  … | file u32 | offset u64 | bytes (block)
/// SnapshotEnd    … | installed index u64; 0: the sender has given it up, or what the receiver got is damaged
/// </code>
/// </remarks>
public sealed record SnapshotOffer(SnapshotId Id, Term Term, IReadOnlyList<CheckpointFile> Files)
{
    public const int MaxFiles = 100_000;

    /// <summary>Of all files; long.MaxValue when it is no number.</summary>
    public long Bytes => (long)Int128.Min(Files.Aggregate(Int128.Zero, (sum, file) => sum + file.Length), long.MaxValue);
    private const int MaxNameLength = 64;

    public byte[] ToFrame()
    {
        ByteWriter writer = new(1024);
        PeerFrame.Begin(writer, FrameKind.SnapshotOffer);
        Id.Write(writer);
        writer.U64(Term.Value);
        writer.U32((uint)Files.Count);
        foreach (CheckpointFile file in Files)
        {
            writer.Text(file.Name);
            writer.U64((ulong)file.Length);
        }

        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    public static SnapshotOffer Read(ReadOnlyMemory<byte> body)
    {
        ByteReader reader = new(body);
        SnapshotId id = SnapshotId.Read(ref reader);
        Term term = new(reader.U64());
        int count = reader.Count(12);
        if (count is 0 or > MaxFiles) throw new MalformedException($"snapshot of {count} files, the limit is {MaxFiles}");
        CheckpointFile[] files = new CheckpointFile[count];
        HashSet<string> names = new(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            files[i] = new CheckpointFile(reader.Text(), (long)reader.U64());
            if (files[i].Length < 0) throw new MalformedException($"snapshot file of {files[i].Length} bytes");
            // It becomes a file name here.
            if (!IsPlainName(files[i].Name) || !names.Add(files[i].Name)) throw new MalformedException("snapshot file name");
        }

        reader.ExpectEnd();
        return new SnapshotOffer(id, term, files);
    }

    private static bool IsPlainName(string name) =>
        name.Length is > 0 and <= MaxNameLength && name[0] != '.' && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_');
}

/// <inheritdoc cref="SnapshotOffer"/>
public readonly record struct SnapshotFetch(SnapshotId Id, int File, long Offset)
{
    public byte[] ToFrame()
    {
        ByteWriter writer = new(64);
        PeerFrame.Begin(writer, FrameKind.SnapshotFetch);
        Id.Write(writer);
        writer.U32((uint)File);
        writer.U64((ulong)Offset);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    public static SnapshotFetch Read(ReadOnlyMemory<byte> body)
    {
        ByteReader reader = new(body);
        SnapshotFetch fetch = new(SnapshotId.Read(ref reader), (int)reader.U32(), (long)reader.U64());
        reader.ExpectEnd();
        if (fetch.File < 0 || fetch.Offset < 0) throw new MalformedException($"fetch of file {fetch.File} at {fetch.Offset}");
        return fetch;
    }
}

/// <inheritdoc cref="SnapshotOffer"/>
public readonly record struct SnapshotChunk(SnapshotId Id, int File, long Offset, ReadOnlyMemory<byte> Bytes)
{
    public byte[] ToFrame()
    {
        ByteWriter writer = new(64 + Bytes.Length);
        PeerFrame.Begin(writer, FrameKind.SnapshotChunk);
        Id.Write(writer);
        writer.U32((uint)File);
        writer.U64((ulong)Offset);
        writer.Block(Bytes.Span);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    public static SnapshotChunk Read(ReadOnlyMemory<byte> body)
    {
        ByteReader reader = new(body);
        SnapshotChunk chunk = new(SnapshotId.Read(ref reader), (int)reader.U32(), (long)reader.U64(), reader.Block());
        reader.ExpectEnd();
        return chunk;
    }
}

/// <inheritdoc cref="SnapshotOffer"/>
public readonly record struct SnapshotEnd(SnapshotId Id, LogIndex Installed)
{
    public byte[] ToFrame()
    {
        ByteWriter writer = new(64);
        PeerFrame.Begin(writer, FrameKind.SnapshotEnd);
        Id.Write(writer);
        writer.U64(Installed.Value);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    public static SnapshotEnd Read(ReadOnlyMemory<byte> body)
    {
        ByteReader reader = new(body);
        SnapshotEnd end = new(SnapshotId.Read(ref reader), new LogIndex(reader.U64()));
        reader.ExpectEnd();
        return end;
    }
}
