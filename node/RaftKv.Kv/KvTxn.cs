using System.Collections.Immutable;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>What of a key is compared. The numbers are in log entries.</summary>
public enum KvTarget : byte
{
    /// <summary>Byte by byte. Of an absent key no comparison of the value holds.</summary>
    Value = 1,

    /// <summary>The mod revision; 0 of an absent key, as are the next two.</summary>
    Revision = 2,
    Version = 3,
    Created = 4,

    /// <summary>1 or 0.</summary>
    Exists = 5,
}

/// <summary>How it must stand to the operand. The numbers are in log entries.</summary>
public enum KvRelation : byte
{
    Equal = 1,
    NotEqual = 2,
    Less = 3,
    Greater = 4,
}

/// <summary>One comparison: the key's <paramref name="Target"/> stands in this relation to the operand.</summary>
/// <param name="Number">The operand, but for a value.</param>
public readonly record struct KvCompare(ReadOnlyMemory<byte> Key, KvTarget Target, KvRelation Relation, ulong Number, ReadOnlyMemory<byte> Value = default)
{
    /// <summary>Whether it holds of the key's current version and value.</summary>
    internal bool Holds(in KeyVersion version, ReadOnlySpan<byte> value)
    {
        if (Target == KvTarget.Value) return version.HasValue && IsMet(value.SequenceCompareTo(Value.Span));
        ulong actual = !version.HasValue ? 0 : Target switch
        {
            KvTarget.Revision => version.Revision,
            KvTarget.Version => version.Version,
            KvTarget.Created => version.Created,
            _ => 1,
        };
        return IsMet(actual.CompareTo(Number));
    }

    private bool IsMet(int comparison) => Relation switch
    {
        KvRelation.Equal => comparison == 0,
        KvRelation.NotEqual => comparison != 0,
        KvRelation.Less => comparison < 0,
        _ => comparison > 0,
    };
}

/// <summary>
/// Compare, then, else on keys of one shard: if all comparisons hold, the operations of Then run, else those of Else; atomically, in their order, so that a get
/// sees what stands before it, and all writes take one revision.
/// </summary>
/// <param name="Compare">May be empty: then they hold.</param>
/// <param name="Then">Puts, gets and deletes without condition, revision or idempotency key; no key is written twice. So is <paramref name="Else"/>.</param>
/// <remarks>
/// <code>
/// compare count u32 | compare… | then count u32 | request (block)… | else count u32 | request (block)…
/// compare: target u8 | relation u8 | number u64 | key (block) | value (block)
/// </code>
/// </remarks>
public sealed record KvTxn(ImmutableArray<KvCompare> Compare, ImmutableArray<KvRequest> Then, ImmutableArray<KvRequest> Else)
{
    private const int LeastCompareBytes = 18;
    private const int LeastRequestBytes = 4;

    public bool HasWrites => Then.Any(operation => operation.IsWrite) || Else.Any(operation => operation.IsWrite);

    /// <summary>Of everything it compares, reads or writes, in both branches; some of them twice. At least one.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Keys => Compare.Select(compare => compare.Key).Concat(Then.Concat(Else).Select(operation => operation.Key));

    /// <summary>In byte order: the one that its idempotency record hangs on (design §9).</summary>
    public ReadOnlyMemory<byte> SmallestKey => Keys.Aggregate((smallest, key) => key.Span.SequenceCompareTo(smallest.Span) < 0 ? key : smallest);

    public byte[] Encode()
    {
        ByteWriter writer = new(12 + Keys.Sum(key => 64 + key.Length) + Then.Concat(Else).Sum(operation => operation.Value.Length));
        writer.U32((uint)Compare.Length);
        foreach (KvCompare compare in Compare)
        {
            writer.U8((byte)compare.Target);
            writer.U8((byte)compare.Relation);
            writer.U64(compare.Number);
            writer.Block(compare.Key.Span);
            writer.Block(compare.Value.Span);
        }

        WriteBranch(writer, Then);
        WriteBranch(writer, Else);
        return writer.ToArray();
    }

    /// <summary>Throws <see cref="MalformedException"/>.</summary>
    public static KvTxn Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        KvCompare[] compare = new KvCompare[reader.Count(LeastCompareBytes)];
        for (int i = 0; i < compare.Length; i++) compare[i] = ReadCompare(ref reader);
        KvTxn txn = new([.. compare], ReadBranch(ref reader), ReadBranch(ref reader));
        reader.ExpectEnd();
        if (txn.Compare.Length + txn.Then.Length + txn.Else.Length == 0) throw new MalformedException("a transaction without keys");
        return txn;
    }

    /// <summary>The first key that the operations write twice, or null. They would share a revision, so neither would be the newer.</summary>
    public static ReadOnlyMemory<byte>? FindWrittenTwice(IReadOnlyList<KvRequest> operations)
    {
        HashSet<byte[]>.AlternateLookup<ReadOnlySpan<byte>> written = new HashSet<byte[]>(ByteArrayComparer.Instance).GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (KvRequest operation in operations)
            if (operation.IsWrite && !written.Add(operation.Key.Span)) return operation.Key;
        return null;
    }

    private static KvCompare ReadCompare(ref ByteReader reader)
    {
        KvTarget target = (KvTarget)reader.U8();
        KvRelation relation = (KvRelation)reader.U8();
        if (!Enum.IsDefined(target) || !Enum.IsDefined(relation)) throw new MalformedException($"comparison {(byte)relation} of {(byte)target}");
        ulong number = reader.U64();
        ReadOnlyMemory<byte> key = reader.Block();
        if (key.IsEmpty) throw new MalformedException("empty key");
        return new KvCompare(key, target, relation, number, reader.Block());
    }

    private static void WriteBranch(ByteWriter writer, ImmutableArray<KvRequest> operations)
    {
        writer.U32((uint)operations.Length);
        foreach (KvRequest operation in operations) writer.Block(operation.Encode());
    }

    private static ImmutableArray<KvRequest> ReadBranch(ref ByteReader reader)
    {
        KvRequest[] operations = new KvRequest[reader.Count(LeastRequestBytes)];
        for (int i = 0; i < operations.Length; i++)
        {
            operations[i] = KvRequest.Decode(reader.Block());
            if (operations[i] is not { Operation: KvOperation.Put or KvOperation.Delete or KvOperation.Get, Condition: KvCondition.None, Revision: 0, IdempotencyKey.IsEmpty: true })
                throw new MalformedException($"a {operations[i].Operation} that no transaction has");
        }

        if (FindWrittenTwice(operations) is not null) throw new MalformedException("a key is written twice");
        return [.. operations];
    }
}
