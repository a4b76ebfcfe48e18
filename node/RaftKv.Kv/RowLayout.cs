using System.Buffers.Binary;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>How a shard's state lies in its ordered store.</summary>
/// <remarks>
/// <code>
/// row               key                                              value
/// meta              01                                               see <see cref="ShardMeta"/>
/// configuration     02                                               the group's members
/// history           03                                               see <see cref="History"/>
/// version           10 | escaped key | ~revision (u64 BE)            kind u8 (0 put, 1 delete) | created u64 LE | version u64 LE | deadline ms u64 LE | value
/// change index      20 | revision (u64 BE) | item (u32 BE) | superseded (u64 BE) | kind u8 (0 put, 1 delete)          key
///                   (what it superseded: the key's revision before, 0 for none; meta formats 1 and 2 end behind the item)
/// dedup record      30 | escaped key | length u8 | idempotency key | item (u32 BE)      see <see cref="DedupRecord"/>
/// dedup deadline    31 | deadline ms (u64 BE) | dedup record's key without its tag      empty
/// ttl deadline      32 | deadline ms (u64 BE) | revision (u64 BE) | key                  empty
///
/// escaped key: every 00 becomes 00 FF, and 00 01 ends it; so byte order is key order, and no key is a prefix of another
/// ~revision:   descending, so that the newest version of a key is the first at or after its prefix
/// </code>
/// A point read and a read of the past are one seek each: to (key, ~revision), the newest at or below it.
/// </remarks>
internal static class RowLayout
{
    public const byte MetaTag = 0x01;
    public const byte ConfigurationTag = 0x02;
    public const byte HistoryTag = 0x03;
    public const byte VersionTag = 0x10;
    public const byte ChangeTag = 0x20;
    public const byte DedupTag = 0x30;
    public const byte DedupDeadlineTag = 0x31;
    public const byte TtlDeadlineTag = 0x32;
    private const byte EscapeByte = 0x00;
    private const byte EscapedZero = 0xFF;
    private const byte EndOfKey = 0x01;
    private const int RevisionBytes = 8;
    private const int VersionHeaderBytes = 25;
    private const int OldChangeKeyBytes = 13;

    public static ReadOnlySpan<byte> MetaKey => [MetaTag];

    /// <summary>The group's members: <see cref="RaftKv.Raft.Configuration.ToBytes"/>.</summary>
    public static ReadOnlySpan<byte> ConfigurationKey => [ConfigurationTag];

    public static ReadOnlySpan<byte> HistoryKey => [HistoryTag];

    /// <summary>Writes the prefix that all versions of <paramref name="key"/> share.</summary>
    public static void WriteKeyPrefix(ByteWriter writer, ReadOnlySpan<byte> key)
    {
        writer.U8(VersionTag);
        WriteEscaped(writer, key);
    }

    /// <summary>Writes the key of a dedup record. Its idempotency key has at most 255 bytes.</summary>
    public static void WriteDedupKey(ByteWriter writer, ReadOnlySpan<byte> key, ReadOnlySpan<byte> idempotencyKey, uint item)
    {
        writer.U8(DedupTag);
        WriteEscaped(writer, key);
        writer.U8(checked((byte)idempotencyKey.Length));
        writer.Raw(idempotencyKey);
        BinaryPrimitives.WriteUInt32BigEndian(writer.Take(4), item);
    }

    /// <summary>The idempotency key in a dedup record's key.</summary>
    public static ReadOnlySpan<byte> IdempotencyKeyOf(ReadOnlySpan<byte> dedupKey)
    {
        int end = 1;
        while (dedupKey[end] != EscapeByte || dedupKey[end + 1] != EndOfKey) end += dedupKey[end] == EscapeByte ? 2 : 1;
        return dedupKey.Slice(end + 3, dedupKey[end + 2]);
    }

    /// <summary>Writes the key of the deadline row of a dedup record.</summary>
    public static void WriteDedupDeadlineKey(ByteWriter writer, ulong deadlineMillis, ReadOnlySpan<byte> dedupKey)
    {
        WriteDeadline(writer, DedupDeadlineTag, deadlineMillis);
        writer.Raw(dedupKey[1..]);
    }

    /// <summary>The key of the dedup record that a deadline row points to.</summary>
    public static byte[] DedupKeyOf(ReadOnlySpan<byte> deadlineKey) => [DedupTag, .. deadlineKey[9..]];

    /// <summary>Writes the key of the deadline row of a version. By its key too: a transaction's writes share a revision.</summary>
    public static void WriteTtlDeadlineKey(ByteWriter writer, ulong deadlineMillis, ulong revision, ReadOnlySpan<byte> key)
    {
        WriteDeadline(writer, TtlDeadlineTag, deadlineMillis);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Take(8), revision);
        writer.Raw(key);
    }

    public static ulong TtlRevisionOf(ReadOnlySpan<byte> deadlineKey) => BinaryPrimitives.ReadUInt64BigEndian(deadlineKey[9..]);

    /// <summary>The key whose version a ttl deadline row is of.</summary>
    public static ReadOnlySpan<byte> TtlKeyOf(ReadOnlySpan<byte> deadlineKey) => deadlineKey[17..];

    /// <summary>The deadline of a row of <paramref name="tag"/>, or null when the row is another kind's.</summary>
    public static ulong? DeadlineOf(ReadOnlySpan<byte> rowKey, byte tag) => rowKey.Length > 9 && rowKey[0] == tag ? BinaryPrimitives.ReadUInt64BigEndian(rowKey[1..]) : null;

    /// <summary>Writes what the deadline rows of a kind can be searched by.</summary>
    public static void WriteDeadline(ByteWriter writer, byte tag, ulong deadlineMillis)
    {
        writer.U8(tag);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Take(8), deadlineMillis);
    }

    private static void WriteEscaped(ByteWriter writer, ReadOnlySpan<byte> key)
    {
        while (true)
        {
            int zero = key.IndexOf(EscapeByte);
            if (zero < 0) break;
            writer.Raw(key[..(zero + 1)]);
            writer.U8(EscapedZero);
            key = key[(zero + 1)..];
        }

        writer.Raw(key);
        writer.U8(EscapeByte);
        writer.U8(EndOfKey);
    }

    public static void WriteRevisionDescending(ByteWriter writer, ulong revision) => BinaryPrimitives.WriteUInt64BigEndian(writer.Take(RevisionBytes), ~revision);

    /// <summary>The revision of a version row whose key prefix is <paramref name="prefix"/>, or null when the row is another key's.</summary>
    public static ulong? RevisionOf(ReadOnlySpan<byte> rowKey, ReadOnlySpan<byte> prefix) =>
        rowKey.Length == prefix.Length + RevisionBytes && rowKey.StartsWith(prefix) ? ~BinaryPrimitives.ReadUInt64BigEndian(rowKey[prefix.Length..]) : null;

    /// <summary>The prefix that a version row's key shares with all versions of its key.</summary>
    public static ReadOnlySpan<byte> PrefixOf(ReadOnlySpan<byte> rowKey) => rowKey[..^RevisionBytes];

    /// <summary>Undoes <see cref="WriteKeyPrefix"/> on a whole version row key.</summary>
    public static void WriteKeyOf(ByteWriter key, ReadOnlySpan<byte> rowKey)
    {
        ReadOnlySpan<byte> escaped = rowKey[1..^(RevisionBytes + 2)];
        while (true)
        {
            int zero = escaped.IndexOf(EscapeByte);
            if (zero < 0) break;
            key.Raw(escaped[..(zero + 1)]);
            escaped = escaped[(zero + 2)..];
        }

        key.Raw(escaped);
    }

    /// <summary>Undoes the escaping at the front of <paramref name="escaped"/>: the key, and how many bytes it took with its end. False: it is not escaped so.</summary>
    public static bool TryReadEscaped(ReadOnlySpan<byte> escaped, ByteWriter key, out int length)
    {
        for (length = 0; length + 1 < escaped.Length; length++)
        {
            if (escaped[length] == EscapeByte)
            {
                length++;
                if (escaped[length] == EndOfKey)
                {
                    length++;
                    return true;
                }

                if (escaped[length] != EscapedZero) return false;
                key.U8(EscapeByte);
                continue;
            }

            key.U8(escaped[length]);
        }

        return false;
    }

    public static void WriteVersionValue(ByteWriter writer, in KeyVersion version, ReadOnlySpan<byte> value)
    {
        writer.U8(version.IsDelete ? (byte)1 : (byte)0);
        writer.U64(version.Created);
        writer.U64(version.Version);
        writer.U64(version.DeadlineMillis);
        writer.Raw(value);
    }

    public static KeyVersion ReadVersion(ulong revision, ReadOnlySpan<byte> value) =>
        new(revision, value[0] == 1, BinaryPrimitives.ReadUInt64LittleEndian(value[1..]), BinaryPrimitives.ReadUInt64LittleEndian(value[9..]), BinaryPrimitives.ReadUInt64LittleEndian(value[17..]));

    public static ReadOnlySpan<byte> ValueOf(ReadOnlySpan<byte> versionValue) => versionValue[VersionHeaderBytes..];

    /// <summary>The revision of a row of the change index; null when it is another row.</summary>
    public static ulong? ChangeRevisionOf(ReadOnlySpan<byte> rowKey) => rowKey[0] == ChangeTag ? BinaryPrimitives.ReadUInt64BigEndian(rowKey[1..]) : null;

    /// <summary>What a change of the key says of it; null when an older version wrote it, which said nothing.</summary>
    public static Change? ReadChange(ReadOnlySpan<byte> rowKey) =>
        rowKey.Length == OldChangeKeyBytes ? null : new Change(BinaryPrimitives.ReadUInt64BigEndian(rowKey[OldChangeKeyBytes..]), rowKey[^1] == 1);

    /// <summary>Writes what the change index can be searched by: all its rows of the revision and of later ones are at or behind it.</summary>
    public static void WriteChangeStart(ByteWriter writer, ulong revision)
    {
        writer.U8(ChangeTag);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Take(8), revision);
    }

    /// <param name="item">Tells changes of one revision apart.</param>
    public static void WriteChangeKey(ByteWriter writer, ulong revision, uint item, in Change change)
    {
        WriteChangeStart(writer, revision);
        BinaryPrimitives.WriteUInt32BigEndian(writer.Take(4), item);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Take(8), change.Superseded);
        writer.U8(change.IsDelete ? (byte)1 : (byte)0);
    }
}

/// <summary>What a change did to its key, as far as it matters to what the history can give up.</summary>
/// <param name="Superseded">The revision of the value before; 0 if there was none.</param>
internal readonly record struct Change(ulong Superseded, bool IsDelete);

/// <summary>One version of a key, without its value. A delete is a version too, so that revisions go on.</summary>
/// <param name="DeadlineMillis">The shard time at which it expires; 0 is never.</param>
internal readonly record struct KeyVersion(ulong Revision, bool IsDelete, ulong Created, ulong Version, ulong DeadlineMillis)
{
    public bool HasValue => Revision != 0 && !IsDelete;
}
