using System.Buffers.Binary;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>How a shard's state lies in its ordered store.</summary>
/// <remarks>
/// <code>
/// row               key                                              value
/// meta              01                                               see <see cref="ShardMeta"/>
/// version           10 | escaped key | ~revision (u64 BE)            kind u8 (0 put, 1 delete) | created u64 LE | version u64 LE | value
/// change index      20 | revision (u64 BE) | item (u32 BE)           key
///
/// escaped key: every 00 becomes 00 FF, and 00 01 ends it; so byte order is key order, and no key is a prefix of another
/// ~revision:   descending, so that the newest version of a key is the first at or after its prefix
/// </code>
/// A point read and a read of the past are one seek each: to (key, ~revision), the newest at or below it.
/// </remarks>
internal static class RowLayout
{
    public const byte MetaTag = 0x01;
    public const byte VersionTag = 0x10;
    public const byte ChangeTag = 0x20;
    private const byte EscapeByte = 0x00;
    private const byte EscapedZero = 0xFF;
    private const byte EndOfKey = 0x01;
    private const int RevisionBytes = 8;
    private const int VersionHeaderBytes = 17;

    public static ReadOnlySpan<byte> MetaKey => [MetaTag];

    /// <summary>Writes the prefix that all versions of <paramref name="key"/> share.</summary>
    public static void WriteKeyPrefix(ByteWriter writer, ReadOnlySpan<byte> key)
    {
        writer.U8(VersionTag);
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

    /// <summary>Undoes <see cref="WriteKeyPrefix"/> on a whole version row key.</summary>
    public static byte[] KeyOf(ReadOnlySpan<byte> rowKey)
    {
        ReadOnlySpan<byte> escaped = rowKey[1..^(RevisionBytes + 2)];
        ByteWriter key = new(escaped.Length + 1);
        while (true)
        {
            int zero = escaped.IndexOf(EscapeByte);
            if (zero < 0) break;
            key.Raw(escaped[..(zero + 1)]);
            escaped = escaped[(zero + 2)..];
        }

        key.Raw(escaped);
        return key.ToArray();
    }

    public static void WriteVersionValue(ByteWriter writer, bool isDelete, ulong created, ulong version, ReadOnlySpan<byte> value)
    {
        writer.U8(isDelete ? (byte)1 : (byte)0);
        writer.U64(created);
        writer.U64(version);
        writer.Raw(value);
    }

    public static KeyVersion ReadVersion(ulong revision, ReadOnlySpan<byte> value) =>
        new(revision, value[0] == 1, BinaryPrimitives.ReadUInt64LittleEndian(value[1..]), BinaryPrimitives.ReadUInt64LittleEndian(value[9..]));

    public static ReadOnlySpan<byte> ValueOf(ReadOnlySpan<byte> versionValue) => versionValue[VersionHeaderBytes..];

    public static void WriteChangeKey(ByteWriter writer, ulong revision, uint item)
    {
        writer.U8(ChangeTag);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Take(8), revision);
        BinaryPrimitives.WriteUInt32BigEndian(writer.Take(4), item);
    }
}

/// <summary>One version of a key, without its value. A delete is a version too, so that revisions go on.</summary>
internal readonly record struct KeyVersion(ulong Revision, bool IsDelete, ulong Created, ulong Version)
{
    public bool HasValue => Revision != 0 && !IsDelete;
}
