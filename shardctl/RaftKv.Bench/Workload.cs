using System.Buffers.Binary;
using System.Collections.Immutable;

namespace RaftKv.Bench;

/// <summary>Draws the requests of the clients. Owned by one loop; not thread-safe.</summary>
internal abstract class Workload
{
    /// <summary>The client's next request; false when there is none for it, at least not now.</summary>
    public abstract bool TryNext(int client, out Operation operation);

    /// <summary>What became of the client's last request.</summary>
    public virtual void OnAnswer(int client, AnswerKind kind)
    {
    }

    /// <summary>Whether there will be no request any more, for any client.</summary>
    public virtual bool IsExhausted => false;
}

/// <summary>Values of one length: pieces of random bytes, which do not compress.</summary>
internal sealed class ValueSource
{
    private const int Places = 4096;
    private readonly byte[] _pool;
    private readonly int _bytes;

    public ValueSource(int bytes, Random random)
    {
        _bytes = bytes;
        _pool = new byte[bytes + Places];
        random.NextBytes(_pool);
    }

    /// <summary>Valid for ever.</summary>
    public ReadOnlySpan<byte> Next(Random random) => _pool.AsSpan(random.Next(Places), _bytes);
}

/// <summary>Reads and writes of random keys, for ever.</summary>
internal sealed class RandomWorkload : Workload
{
    private const int UuidChars = 36;
    private readonly LoadPlan _plan;
    private readonly ValueSource _values;

    /// <summary>One sequence a client: what a client does must not depend on who is answered first.</summary>
    private readonly Random[] _randoms;
    private readonly byte[] _key = new byte[KeySpace.KeyBytes];
    private readonly byte[] _idempotencyKey = new byte[UuidChars];

    public RandomWorkload(LoadPlan plan)
    {
        Random seeds = new(plan.Seed);
        _plan = plan;
        _values = new ValueSource(plan.ValueBytes, seeds);
        _randoms = [.. Enumerable.Range(0, plan.Clients).Select(_ => new Random(seeds.Next()))];
    }

    public override bool TryNext(int client, out Operation operation)
    {
        Random random = _randoms[client];
        KeySpace.Write(_key, DrawKey(client, random));
        if (_plan.ReadShare > 0 && random.NextDouble() < _plan.ReadShare) operation = new Operation { IsRead = true, Key = _key };
        else operation = new Operation { Key = _key, Value = _values.Next(random), IdempotencyKey = _plan.HasIdempotencyKeys ? DrawUuid(random) : default };
        return true;
    }

    private int DrawKey(int client, Random random)
    {
        if (_plan.Lanes.IsEmpty) return random.Next(_plan.Keys);
        ImmutableArray<int> lane = _plan.Lanes[client % _plan.Lanes.Length];
        return lane[random.Next(lane.Length)];
    }

    /// <summary>A UUIDv7 (RFC 9562 §5.7): 48 bits of time in ms, then random bits. New in each run, whatever the seed, for time goes on.</summary>
    private ReadOnlySpan<byte> DrawUuid(Random random)
    {
        Span<byte> bits = stackalloc byte[16];
        random.NextBytes(bits);
        BinaryPrimitives.WriteInt64BigEndian(bits, (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() << 16) | 0x7000 | (long)(bits[6] & 0x0F) << 8 | bits[7]);
        bits[8] = (byte)(bits[8] & 0x3F | 0x80);
        new Guid(bits, bigEndian: true).TryFormat(_idempotencyKey, out _);
        return _idempotencyKey;
    }
}

/// <summary>Writes every key once; what fails is tried again until it succeeds.</summary>
internal sealed class FillWorkload(LoadPlan plan) : Workload
{
    private readonly Random _random = new(plan.Seed);
    private readonly ValueSource _values = new(plan.ValueBytes, new Random(plan.Seed));
    private readonly byte[] _key = new byte[KeySpace.KeyBytes];
    private readonly int[] _underWay = new int[plan.Clients];
    private readonly Queue<int> _again = new();
    private int _next;

    /// <summary>Keys written so far.</summary>
    public int Written { get; private set; }

    public override bool IsExhausted => Written == plan.Keys;

    public override bool TryNext(int client, out Operation operation)
    {
        operation = default;
        if (!_again.TryDequeue(out int number))
        {
            if (_next == plan.Keys) return false;
            number = _next++;
        }

        _underWay[client] = number;
        KeySpace.Write(_key, number);
        operation = new Operation { Key = _key, Value = _values.Next(_random) };
        return true;
    }

    public override void OnAnswer(int client, AnswerKind kind)
    {
        if (kind == AnswerKind.Done) Written++;
        else _again.Enqueue(_underWay[client]);
    }
}
