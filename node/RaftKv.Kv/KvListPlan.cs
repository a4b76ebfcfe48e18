using RaftKv.Contracts;

namespace RaftKv.Kv;

/// <summary>What a list asks for: keys in [Start, End), in byte order.</summary>
/// <param name="Start">The first key wanted; empty is the very first.</param>
/// <param name="End">Empty: none.</param>
public sealed record KvListQuery(ReadOnlyMemory<byte> Start, ReadOnlyMemory<byte> End, bool KeysOnly = false, bool CountOnly = false)
{
    /// <summary>
    /// The keys that begin with <paramref name="prefix"/>, from <paramref name="start"/> on, below <paramref name="end"/> and behind <paramref name="after"/>; empty and null
    /// restrict nothing.
    /// </summary>
    public static KvListQuery Of(byte[] prefix, byte[] start, byte[] end, byte[]? after, bool keysOnly, bool countOnly)
    {
        byte[] first = Largest(prefix, start);
        // In byte order the next key after k is k and a zero.
        if (after is not null) first = Largest(first, [.. after, 0]);
        byte[] behind = EndOfPrefix(prefix);
        byte[] last = end.Length == 0 || (behind.Length > 0 && behind.AsSpan().SequenceCompareTo(end) < 0) ? behind : end;
        return new KvListQuery(first, last, keysOnly, countOnly);
    }

    /// <summary>No key can be in it.</summary>
    public bool IsEmpty => !End.IsEmpty && Start.Span.SequenceCompareTo(End.Span) >= 0;

    private static byte[] Largest(byte[] left, byte[] right) => left.AsSpan().SequenceCompareTo(right) >= 0 ? left : right;

    /// <summary>The smallest key above all that begin so; empty if there is none.</summary>
    private static byte[] EndOfPrefix(byte[] prefix)
    {
        int length = prefix.AsSpan().LastIndexOfAnyExcept((byte)0xFF) + 1;
        if (length == 0) return [];
        byte[] end = prefix[..length];
        end[^1]++;
        return end;
    }
}

/// <summary>One call that a list makes: for the next keys of a source.</summary>
/// <param name="Request">Encoded.</param>
/// <param name="Hash">To route by.</param>
public sealed record KvListPart(KvListSource Source, byte[] Request, ulong Hash);

/// <summary>One key of a list, and where it was read.</summary>
/// <param name="At">Node, shard, epoch, term and index of the chunk that it came in.</param>
/// <param name="AsOf">The shard's revision in the state that was listed.</param>
public readonly record struct KvListItem(KvRow Row, KvResponse At, ulong AsOf);

/// <summary>
/// A list over all shards: which to ask for what, and from their answers all keys in order. Each shard is shown as of one index: linearizable there, but not
/// across shards.
/// </summary>
/// <remarks>
/// Pure: whoever owns it makes the calls. Each source is a range of hashes, at first a shard's; the sources always tile the space. A shard answers for what it
/// owns of the hashes wanted and says so, and what is missing becomes a source of its own (design §8). Memory is bounded: a source is asked for
/// more when it has run low, and for an equal share of what may wait.
/// </remarks>
public sealed class KvListPlan
{
    private const uint MaxChunkRows = 1_000;
    private const long LeastChunkBytes = 4 * Limits.Kibi;

    /// <summary>Everything else in a shard waits while a chunk is made.</summary>
    private const long MostChunkBytes = Limits.Mebi;
    private readonly KvListQuery _query;
    private readonly long _maxBytes;
    private readonly List<KvListSource> _sources = [];
    private readonly PriorityQueue<KvListSource, ReadOnlyMemory<byte>> _heads = new(Comparer<ReadOnlyMemory<byte>>.Create((left, right) => left.Span.SequenceCompareTo(right.Span)));
    private int _unknownHeads;

    /// <param name="maxBytes">Of all that waits to be taken, roughly: no source is given less than 4 KiB.</param>
    public KvListPlan(KvListQuery query, ShardMap map, long maxBytes)
    {
        _query = query;
        _maxBytes = maxBytes;
        if (query.IsEmpty) return;
        foreach (ShardDescription shard in map.Shards) Add(new KvListSource(shard.Range, query.Start));
    }

    /// <summary>Keys found so far, when only they are wanted.</summary>
    public ulong Count { get; private set; }

    /// <summary>Why the list cannot go on: a part's error; null while it can.</summary>
    public KvResponse? Failure { get; private set; }

    /// <summary>
    /// What to ask next, side by side: of every source of which the next key is not known, and those that will soon run out. None: take, or it is all taken.
    /// Call it when every part taken before was answered.
    /// </summary>
    /// <param name="maxRows">How many more keys are wanted at most.</param>
    public IReadOnlyList<KvListPart> TakeParts(long maxRows = long.MaxValue)
    {
        if (Failure is not null || _unknownHeads == 0) return [];
        uint rows = (uint)Math.Clamp(maxRows, 1, MaxChunkRows);
        uint bytes = (uint)Math.Clamp(_maxBytes / _sources.Count, LeastChunkBytes, MostChunkBytes);
        return [.. _sources.Where(source => source.IsLow).Select(source => new KvListPart(source, RequestOf(source, rows, bytes), source.Range.Start))];
    }

    public void OnAnswer(KvListPart part, KvResponse answer)
    {
        KvListSource source = part.Source;
        if (answer.Error is not null)
        {
            Failure ??= answer;
            return;
        }

        KvListChunk chunk = KvListChunk.Decode(answer.Value);
        if (!source.Range.Contains(chunk.Covered))
        {
            Failure ??= KvResponse.Fail(ErrorCode.Internal, $"asked for {source.Range}, answered for {chunk.Covered}", answer.Node, answer.Group);
            return;
        }

        foreach (HashRange missing in Missing(source.Range, chunk.Covered)) Add(new KvListSource(missing, source.Next!.Value));
        Count += chunk.Count;
        bool wasUnknown = source.IsHeadUnknown;
        source.OnChunk(chunk, answer with { Value = default });
        if (!wasUnknown || source.IsHeadUnknown) return;
        _unknownHeads--;
        Enqueue(source);
    }

    /// <summary>A value that a row left out could not be had: the list ends here.</summary>
    public void OnLost(KvResponse failure) => Failure ??= failure;

    /// <summary>The next key, if it is known; else ask for parts first. False and no parts: the list is at its end.</summary>
    public bool TryTake(out KvListItem item)
    {
        item = default;
        if (Failure is not null || _unknownHeads > 0 || !_heads.TryDequeue(out KvListSource? source, out _)) return false;
        item = source.Take();
        if (source.IsHeadUnknown) _unknownHeads++;
        else Enqueue(source);
        return true;
    }

    private void Add(KvListSource source)
    {
        _sources.Add(source);
        _unknownHeads++;
    }

    private void Enqueue(KvListSource source)
    {
        if (source.Head is { } head) _heads.Enqueue(source, head);
    }

    private byte[] RequestOf(KvListSource source, uint rows, uint bytes)
    {
        KvListRequest request = new(source.Range, source.Next!.Value, _query.End, source.Revision, rows, bytes, _query.KeysOnly, _query.CountOnly);
        return new KvRequest(KvOperation.List, default, request.Encode()).Encode();
    }

    private static IEnumerable<HashRange> Missing(HashRange wanted, HashRange covered)
    {
        if (wanted.Start < covered.Start) yield return new HashRange(wanted.Start, covered.Start);
        if (covered.Last < wanted.Last) yield return new HashRange(covered.End, wanted.End);
    }
}

/// <summary>The keys of a range of hashes, as one shard shows them. Owned by its plan.</summary>
public sealed class KvListSource
{
    private readonly Queue<KvListItem> _items = new();
    private int _chunkRows;

    internal KvListSource(HashRange range, ReadOnlyMemory<byte> start)
    {
        Range = range;
        Next = start;
    }

    internal HashRange Range { get; private set; }

    /// <summary>Where to go on; null at the end.</summary>
    internal ReadOnlyMemory<byte>? Next { get; private set; }

    /// <summary>Of the state that the first chunk showed; 0 before.</summary>
    internal ulong Revision { get; private set; }

    internal ReadOnlyMemory<byte>? Head => _items.TryPeek(out KvListItem item) ? item.Row.Key : default(ReadOnlyMemory<byte>?);

    /// <summary>There may be a smaller key to come than any that is there.</summary>
    internal bool IsHeadUnknown => _items.Count == 0 && Next is not null;

    internal bool IsLow => Next is not null && _items.Count <= _chunkRows / 2;

    internal void OnChunk(KvListChunk chunk, KvResponse at)
    {
        Range = chunk.Covered;
        Revision = chunk.Revision;
        Next = chunk.Next;
        _chunkRows = chunk.Rows.Length;
        foreach (KvRow row in chunk.Rows) _items.Enqueue(new KvListItem(row, at, chunk.Revision));
    }

    internal KvListItem Take() => _items.Dequeue();
}
