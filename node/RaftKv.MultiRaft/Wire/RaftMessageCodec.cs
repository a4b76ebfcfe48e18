using RaftKv.Raft;

namespace RaftKv.MultiRaft.Wire;

/// <summary>Messages between replicas, as they stand one after another in a <see cref="FrameKind.RaftMessages"/> body.</summary>
/// <remarks>
/// <code>
/// message: length of the rest u32 | group u64 | from u64 | to u64 | kind u8 | flags u8 (1 = rejected, 2 = hand-over) | term u64 | index u64 | log term u64 | commit u64
///          | hint u64 | read round u64 | entry count u32 | entry… | of Heartbeat and HeartbeatResponse: mark u64
/// entry:   term u64 | kind u8 | feature level u8 | stamp ms u64 | revision floor u64 | payload length u32 | payload
/// </code>
/// The first entry's index is the message's index + 1; the others follow. All integers are little-endian. A message of a kind that this
/// build does not know is skipped by its length; what a newer node adds behind the entries is ignored.
/// </remarks>
public static class RaftMessageCodec
{
    private const int EntryHeaderBytes = 30;
    private const byte RejectedFlag = 1;
    private const byte HandOverFlag = 2;

    public static void Write(ByteWriter writer, GroupId group, in Message message)
    {
        int start = writer.Length;
        writer.U32(0);
        writer.U64(group.Value);
        writer.U64(message.From.Value);
        writer.U64(message.To.Value);
        writer.U8((byte)message.Kind);
        writer.U8((byte)((message.Rejected ? RejectedFlag : 0) | (message.IsHandOver ? HandOverFlag : 0)));
        writer.U64(message.Term.Value);
        writer.U64(message.Index.Value);
        writer.U64(message.LogTerm.Value);
        writer.U64(message.Commit.Value);
        writer.U64(message.Hint.Value);
        writer.U64(message.ReadRound);
        writer.U32((uint)message.Entries.Length);
        foreach (ref readonly Entry entry in message.Entries.Span)
        {
            writer.U64(entry.Term.Value);
            writer.U8((byte)entry.Kind);
            writer.U8(entry.FeatureLevel);
            writer.U64(entry.StampMillis);
            writer.U64(entry.RevisionFloor);
            writer.Block(entry.Payload.Span);
        }

        if (HasMark(message.Kind)) writer.U64(message.Mark);
        writer.PatchU32(start, (uint)(writer.Length - start - 4));
    }

    /// <summary>Reads one message; null when its kind is not known. Entry payloads are slices of the reader's source.</summary>
    public static Message? Read(ref ByteReader frame, out GroupId group)
    {
        Entry[] entries = [];
        return Read(ref frame, out group, ref entries);
    }

    /// <summary>The same; the entries lie in <paramref name="buffer"/>, which grows as needed: they hold until the next message is read into it.</summary>
    public static Message? Read(ref ByteReader frame, out GroupId group, ref Entry[] buffer)
    {
        ByteReader reader = new(frame.Block());
        group = new GroupId(reader.U64());
        ReplicaId from = new(reader.U64());
        ReplicaId to = new(reader.U64());
        MessageKind kind = (MessageKind)reader.U8();
        if (!Enum.IsDefined(kind)) return null;
        byte flags = reader.U8();
        Term term = new(reader.U64());
        LogIndex index = new(reader.U64());
        Term logTerm = new(reader.U64());
        LogIndex commit = new(reader.U64());
        LogIndex hint = new(reader.U64());
        ulong readRound = reader.U64();
        int entries = ReadEntries(ref reader, index, ref buffer);
        ulong mark = HasMark(kind) ? reader.U64() : 0;
        return new Message
        {
            Kind = kind,
            From = from,
            To = to,
            Term = term,
            Index = index,
            LogTerm = logTerm,
            Commit = commit,
            Hint = hint,
            ReadRound = readRound,
            Mark = mark,
            Rejected = (flags & RejectedFlag) != 0,
            IsHandOver = (flags & HandOverFlag) != 0,
            Entries = buffer.AsMemory(0, entries),
        };
    }

    internal static bool HasMark(MessageKind kind) => kind is MessageKind.Heartbeat or MessageKind.HeartbeatResponse;

    /// <summary>The core parses it again when it is appended, where it is too late to refuse it.</summary>
    private static void ExpectConfiguration(ReadOnlyMemory<byte> payload)
    {
        ByteReader reader = new(payload);
        ConfigurationCodec.Read(ref reader);
        reader.ExpectEnd();
    }

    /// <summary>How many there are.</summary>
    private static int ReadEntries(ref ByteReader reader, LogIndex previous, ref Entry[] entries)
    {
        int count = reader.Count(EntryHeaderBytes);
        if (entries.Length < count) entries = new Entry[count];
        for (int i = 0; i < count; i++)
        {
            previous = previous.Next;
            Term term = new(reader.U64());
            EntryKind kind = (EntryKind)reader.U8();
            if (!Enum.IsDefined(kind)) throw new MalformedException($"entry kind {(byte)kind}");
            entries[i] = new Entry(previous, term, kind, reader.U8(), reader.U64(), reader.U64(), reader.Block());
            if (kind == EntryKind.Configuration) ExpectConfiguration(entries[i].Payload);
        }

        return count;
    }
}
