using RaftKv.Contracts;

namespace RaftKv.Kv;

/// <summary>One call that a batch makes: the items at <see cref="Positions"/>, whose keys one shard owns.</summary>
/// <param name="Request">Encoded.</param>
/// <param name="Hash">Of the first item's key, to route by.</param>
public sealed record KvBatchPart(byte[] Request, KvOperation Operation, ulong Hash, int[] Positions);

/// <summary>
/// A client's batch: which shards to ask for what, and from their answers one result per item, in order. It is not atomic. Of each shard the
/// writes are one log entry and the gets one read, all side by side; so a get may or may not see a write of the same batch.
/// </summary>
/// <remarks>
/// Pure: whoever owns it makes the calls. What the gets return together is bounded: each shard may use an equal share of what is left, and
/// gets that did not fit are asked for again. After a round that answered none, shards are asked one by one with all that is left; a get that does
/// not fit then is refused.
/// </remarks>
public sealed class KvBatchPlan
{
    private readonly IReadOnlyList<KvRequest> _items;
    private readonly ReadOnlyMemory<byte> _idempotencyKey;
    private readonly int _maxValueBytes;
    private readonly List<KvBatchPart> _writes;
    private readonly List<int[]> _gets;
    private readonly KvResponse?[] _results;
    private int _valueBytes;
    private bool _isOneByOne;
    private bool _isAlone;

    /// <param name="items">At least one put, get or delete, each as it would be asked for alone; without idempotency keys.</param>
    /// <param name="idempotencyKey">Names every write, together with its position; empty for none.</param>
    /// <param name="maxValueBytes">Of what the gets return together.</param>
    public KvBatchPlan(IReadOnlyList<KvRequest> items, ReadOnlyMemory<byte> idempotencyKey, ShardMap map, int maxValueBytes)
    {
        _items = items;
        _idempotencyKey = idempotencyKey;
        _maxValueBytes = maxValueBytes;
        _results = new KvResponse?[items.Count];
        ulong fingerprint = idempotencyKey.IsEmpty ? 0 : KvBatch.FingerprintOf(items);
        _writes = [.. ByShard(isWrite: true).Select(positions => WritesOf(positions, fingerprint))];
        _gets = [.. ByShard(isWrite: false)];

        IEnumerable<int[]> ByShard(bool isWrite) => Enumerable.Range(0, items.Count)
            .Where(position => items[position].IsWrite == isWrite)
            .GroupBy(position => map.ByKey(items[position].Key.Span).Id, (_, positions) => positions.ToArray());
    }

    /// <summary>One per item, in their order; complete once <see cref="TakeParts"/> has nothing more.</summary>
    public IReadOnlyList<KvResponse> Results => _results!;

    /// <summary>What to ask next, side by side; none when all is answered. Call it when every part taken before was answered.</summary>
    public IReadOnlyList<KvBatchPart> TakeParts()
    {
        List<KvBatchPart> parts = [.. _writes];
        _writes.Clear();
        int shards = _isOneByOne ? Math.Min(1, _gets.Count) : _gets.Count;
        _isAlone = shards == 1;
        _isOneByOne = true; // Until one of them is answered.
        int left = Math.Max(0, _maxValueBytes - _valueBytes);
        parts.AddRange(_gets.Take(shards).Select(positions => GetsOf(positions, left / shards)));
        _gets.RemoveRange(0, shards);
        return parts;
    }

    public void OnAnswer(KvBatchPart part, KvResponse answer)
    {
        if (answer.Error is not null) Array.ForEach(part.Positions, position => _results[position] = answer);
        else if (part.Operation == KvOperation.GetMany) OnGets(part.Positions, answer);
        else OnWrites(part.Positions, answer);
    }

    private void OnWrites(int[] positions, KvResponse answer)
    {
        bool isComplete = answer.Items.Length == positions.Length;
        for (int i = 0; i < positions.Length; i++)
            _results[positions[i]] = isComplete ? answer.Items[i] : KvResponse.Fail(ErrorCode.Internal, "the leader's node answered for another number of items", answer.Node, answer.Group);
    }

    private void OnGets(int[] positions, KvResponse answer)
    {
        int answered = Math.Min(positions.Length, answer.Items.Length);
        for (int i = 0; i < answered; i++)
        {
            _results[positions[i]] = answer.Items[i];
            _valueBytes += answer.Items[i].Value.Length;
        }

        _isOneByOne &= answered == 0;
        if (answered == 0 && _isAlone)
        {
            string why = $"the values that a batch reads have at most {_maxValueBytes} bytes together, and {_valueBytes} have been read";
            KvResponse refused = KvResponse.Fail(ErrorCode.BatchTooLarge, why, answer.Node, answer.Group);
            _results[positions[answered++]] = answer.UnfitBytes is { } unfit ? refused.Over(_maxValueBytes, _valueBytes + unfit) : refused;
        }

        if (answered < positions.Length) _gets.Add(positions[answered..]);
    }

    private KvBatchPart WritesOf(int[] positions, ulong fingerprint)
    {
        KvBatch batch = new(fingerprint, [.. positions.Select(position => new KvBatchItem((uint)position, _items[position]))]);
        return PartOf(positions, new KvRequest(KvOperation.Batch, default, batch.Encode(), IdempotencyKey: _idempotencyKey));
    }

    private KvBatchPart GetsOf(int[] positions, int maxValueBytes)
    {
        KvGets gets = new((uint)maxValueBytes, [.. positions.Select(position => _items[position])]);
        return PartOf(positions, new KvRequest(KvOperation.GetMany, default, gets.Encode()));
    }

    private KvBatchPart PartOf(int[] positions, KvRequest request) => new(request.Encode(), request.Operation, KeyHash.Of(_items[positions[0]].Key.Span), positions);
}
