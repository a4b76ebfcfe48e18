using System.Collections.Immutable;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>A result of the state machine that an idempotency record can keep.</summary>
internal interface IRecordedResult
{
    void Write(ByteWriter writer);
}

/// <summary>The limit that refused something, and the actual value.</summary>
public sealed record LimitExceeded(long Limit, long Actual);

/// <summary>What an applied write did. <see cref="Error"/> is null when it took effect (or was a delete of nothing).</summary>
/// <param name="FirstIndex">For a replay: the index of the entry that was applied first, and <paramref name="FirstTerm"/> its term; else 0.</param>
/// <param name="Exceeded">What refused it, if that was a limit. For the answer only: nothing that is refused so is recorded.</param>
/// <remarks>
/// <code>
/// error code (text, empty = none) | revision u64 | prev revision u64 | created u64 | version u64 | existed u8
/// </code>
/// </remarks>
public readonly record struct KvApplied(
    ErrorCode? Error, ulong Revision, ulong PrevRevision, ulong Created, ulong Version, bool Existed, ShardEpoch Epoch, LogIndex FirstIndex = default, Term FirstTerm = default, LimitExceeded? Exceeded = null) : IRecordedResult
{
    public bool IsReplay => FirstIndex != LogIndex.Zero;

    void IRecordedResult.Write(ByteWriter writer)
    {
        writer.Text(Error?.Code ?? "");
        writer.U64(Revision);
        writer.U64(PrevRevision);
        writer.U64(Created);
        writer.U64(Version);
        writer.U8(Existed ? (byte)1 : (byte)0);
    }

    /// <summary>The first result that a record keeps, as a replay.</summary>
    internal static KvApplied Replay(DedupRecord record, ShardEpoch epoch)
    {
        ByteReader reader = new(record.Result);
        string error = reader.Text();
        return new KvApplied(error.Length == 0 ? null : ErrorCode.Find(error), reader.U64(), reader.U64(), reader.U64(), reader.U64(), reader.U8() != 0, epoch, record.Index, record.Term);
    }
}

/// <summary>What an applied transaction did; or one that was only read, or why it was refused.</summary>
/// <param name="Succeeded">Its comparisons held, and <c>then</c> was run; else <c>else</c> was.</param>
/// <param name="Revision">Its own, if it changed anything; else the shard's last one.</param>
/// <param name="Items">One for each operation that was run, in order.</param>
/// <param name="FirstIndex">As in <see cref="KvApplied"/>; so is <paramref name="Exceeded"/>.</param>
/// <remarks>
/// <code>
/// succeeded u8 | revision u64 | item count u32 | item…
/// item: revision u64 | prev revision u64 | created u64 | version u64 | existed u8 | ttl ms u64 | value (block)
/// </code>
/// </remarks>
public sealed record KvTxnApplied(
    ErrorCode? Error, bool Succeeded, ulong Revision, ImmutableArray<KvTxnItem> Items, ShardEpoch Epoch, LogIndex FirstIndex = default, Term FirstTerm = default, LimitExceeded? Exceeded = null) : IRecordedResult
{
    private const int LeastItemBytes = 45;

    public bool IsReplay => FirstIndex != LogIndex.Zero;

    void IRecordedResult.Write(ByteWriter writer)
    {
        Invariant.Holds(Error is null, $"a refused transaction is not recorded: {Error}");
        writer.U8(Succeeded ? (byte)1 : (byte)0);
        writer.U64(Revision);
        writer.U32((uint)Items.Length);
        foreach (KvTxnItem item in Items)
        {
            writer.U64(item.Revision);
            writer.U64(item.PrevRevision);
            writer.U64(item.Created);
            writer.U64(item.Version);
            writer.U8(item.Existed ? (byte)1 : (byte)0);
            writer.U64(item.TtlMillis);
            writer.Block(item.Value.Span);
        }
    }

    /// <summary>The first result that a record keeps, as a replay.</summary>
    internal static KvTxnApplied Replay(DedupRecord record, ShardEpoch epoch)
    {
        ByteReader reader = new(record.Result);
        bool succeeded = reader.U8() != 0;
        ulong revision = reader.U64();
        KvTxnItem[] items = new KvTxnItem[reader.Count(LeastItemBytes)];
        for (int i = 0; i < items.Length; i++) items[i] = new KvTxnItem(reader.U64(), reader.U64(), reader.U64(), reader.U64(), reader.U8() != 0, reader.U64(), reader.Block());
        return new KvTxnApplied(null, succeeded, revision, [.. items], epoch, record.Index, record.Term);
    }
}

/// <summary>What one operation of a transaction did or found.</summary>
/// <param name="Revision">Of a write the transaction's, but 0 of a delete of nothing; of a get that of the value found, 0 if there is none.</param>
/// <param name="Existed">The key had a value before.</param>
public readonly record struct KvTxnItem(ulong Revision, ulong PrevRevision, ulong Created, ulong Version, bool Existed, ulong TtlMillis = 0, ReadOnlyMemory<byte> Value = default);
