using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>Entries for the state machine: by hand, and random ones by seed over few keys, so that they meet.</summary>
internal static class Entries
{
    /// <summary>Half of the hash space: some of the random keys are another shard's.</summary>
    public static readonly HashRange Half = new(0, 1UL << 63);

    public static readonly byte[][] Keys = [[0x61], [0x61, 0x00], [0x61, 0x00, 0x01], [0x00], [0xFF], [0x00, 0x01], [0x62], [0x63], [0x64], [0x61, 0x62]];

    public static Entry Command(ulong index, KvRequest request, ulong floor = 0, ulong stamp = 0) =>
        new(new LogIndex(index), new Term(6), EntryKind.Command, 0, stamp, floor, request.Encode());

    /// <summary>Deadlines up to <paramref name="stamp"/> pass.</summary>
    public static Entry Expire(ulong index, ulong stamp, ulong floor = 0) => new(new LogIndex(index), new Term(6), EntryKind.Command, 0, stamp, floor, KvRequest.ExpireCommand);

    /// <summary>Windows and record counts so small that random runs pass them.</summary>
    public static Limits Limits { get; } = new() { IdempotencyWindowMillis = 400, MaxIdempotencyRecordsPerShard = 4, MaxBatchBytes = 12 };

    public static Entry Put(ulong index, string key, string value, KvCondition condition = KvCondition.None, ulong revision = 0) =>
        Command(index, new KvRequest(KvOperation.Put, Bytes(key), Bytes(value), condition, revision));

    public static Entry Delete(ulong index, string key, KvCondition condition = KvCondition.None, ulong revision = 0) =>
        Command(index, new KvRequest(KvOperation.Delete, Bytes(key), default, condition, revision));

    public static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    /// <summary>A UUIDv7 of a time.</summary>
    public static byte[] Uuid7(ulong millis, int tail = 1) => Bytes($"{millis >> 16:x8}-{millis & 0xFFFF:x4}-7000-8000-{tail:x12}");

    /// <summary>Entries from 11 on. Conditions aim at revisions that are about right, keyed writes repeat earlier ones, and time goes on.</summary>
    public static Entry[] Random(Random random, int count)
    {
        Entry[] entries = new Entry[count];
        List<KvRequest> keyed = [];
        for (int i = 0; i < count; i++)
        {
            ulong index = 11 + (ulong)i;
            ulong stamp = random.Next(3) == 0 ? (ulong)random.Next(Math.Max(0, 10 * i - 100), 10 * (i + 1)) : 0;
            ulong floor = random.Next(20) == 0 ? (ulong)random.Next(2 * count) : 0;
            entries[i] = random.Next(21) switch
            {
                0 => new Entry(new LogIndex(index), new Term(6), EntryKind.NoOp, 0, stamp, 0, default),
                1 => new Entry(new LogIndex(index), new Term(6), EntryKind.Configuration, 0, stamp, 0, Configuration.Empty.ToBytes()),
                2 => Expire(index, stamp, floor),
                < 6 => Command(index, RandomKeyed(random, i, keyed), floor, stamp),
                < 9 => Command(index, RandomBatch(random, i, keyed), floor, stamp),
                < 13 => Command(index, RandomTxn(random, i, keyed), floor, stamp),
                _ => Command(index, RandomRequest(random, i), floor, stamp),
            };
        }

        return entries;
    }

    /// <summary>Cuts entries into runs at random.</summary>
    public static IEnumerable<Entry[]> Batches(Random random, Entry[] entries, int most = 20)
    {
        for (int at = 0; at < entries.Length;)
        {
            int count = Math.Min(1 + random.Next(most), entries.Length - at);
            yield return entries[at..(at + count)];
            at += count;
        }
    }

    /// <summary>A repetition of an earlier keyed write, another write under its key, or a new one; opaque keys and UUIDv7 of about now.</summary>
    private static KvRequest RandomKeyed(Random random, int progress, List<KvRequest> earlier)
    {
        int choice = random.Next(5);
        if (earlier.Count > 0 && choice < 2) return earlier[random.Next(Math.Max(0, earlier.Count - 6), earlier.Count)];
        KvRequest request = RandomRequest(random, progress) with
        {
            IdempotencyKey = earlier.Count > 0 && choice == 2 ? earlier[^1].IdempotencyKey : random.Next(2) == 0 ? Bytes($"id-{progress}") : Uuid7((ulong)random.Next(Math.Max(0, 10 * progress - 300), 10 * (progress + 1)), progress),
        };
        if (choice == 2 && earlier.Count > 0 && !earlier[^1].Key.IsEmpty) request = request with { Key = earlier[^1].Key };
        earlier.Add(request);
        return request;
    }

    /// <summary>A batch; keyed ones are repeated, or another comes under their key.</summary>
    private static KvRequest RandomBatch(Random random, int progress, List<KvRequest> earlier)
    {
        KvRequest[] items = [.. Enumerable.Range(0, random.Next(2, 6)).Select(_ => RandomRequest(random, progress))];
        uint position = (uint)random.Next(3);
        KvBatch batch = new(KvBatch.FingerprintOf(items), [.. items.Select(item => new KvBatchItem(position += (uint)random.Next(1, 3), item))]);
        return Named(random, progress, earlier, new KvRequest(KvOperation.Batch, default, batch.Encode()));
    }

    /// <summary>Comparisons that are about right, and operations that may read what they have just written; on keys of one shard mostly.</summary>
    private static KvRequest RandomTxn(Random random, int progress, List<KvRequest> earlier)
    {
        byte[][] keys = [.. Keys.Where(key => Half.Contains(KeyHash.Of(key)) || random.Next(40) == 0)];
        KvCompare[] compare = [.. Enumerable.Range(0, random.Next(3)).Select(_ =>
        {
            KvTarget target = (KvTarget)random.Next(1, 6);
            ulong number = target == KvTarget.Exists ? (ulong)random.Next(2) : (ulong)random.Next(target == KvTarget.Version ? 4 : progress + 2);
            return new KvCompare(keys[random.Next(keys.Length)], target, (KvRelation)random.Next(1, 5), number, target == KvTarget.Value ? new byte[] { (byte)random.Next(256) } : default);
        })];
        KvTxn txn = new([.. compare], Branch(), Branch());
        if (!txn.Keys.Any()) txn = txn with { Then = [new KvRequest(KvOperation.Get, keys[0])] };
        return Named(random, progress, earlier, new KvRequest(KvOperation.Txn, default, txn.Encode()));

        System.Collections.Immutable.ImmutableArray<KvRequest> Branch()
        {
            List<KvRequest> operations = [];
            for (int i = random.Next(5); i > 0; i--)
            {
                byte[] key = keys[random.Next(keys.Length)];
                KvRequest operation = random.Next(3) == 0 ? new KvRequest(KvOperation.Get, key) : RandomRequest(random, progress) with { Key = key, Condition = KvCondition.None, Revision = 0 };
                if (KvTxn.FindWrittenTwice([.. operations, operation]) is null) operations.Add(operation);
            }

            return [.. operations];
        }
    }

    /// <summary>With an idempotency key or without, or a repetition of the last of its kind, or another one under that one's key.</summary>
    private static KvRequest Named(Random random, int progress, List<KvRequest> earlier, KvRequest request)
    {
        KvRequest[] alike = [.. earlier.Where(other => other.Operation == request.Operation)];
        int choice = random.Next(5);
        if (alike.Length > 0 && choice == 0) return alike[^1];
        request = request with
        {
            IdempotencyKey = choice switch
            {
                1 when alike.Length > 0 => alike[^1].IdempotencyKey,
                < 4 => random.Next(2) == 0 ? Bytes($"id-{progress}") : Uuid7((ulong)random.Next(Math.Max(0, 10 * progress - 300), 10 * (progress + 1)), progress),
                _ => default,
            },
        };
        if (!request.IdempotencyKey.IsEmpty) earlier.Add(request);
        return request;
    }

    private static KvRequest RandomRequest(Random random, int progress)
    {
        byte[] value = new byte[random.Next(6)];
        random.NextBytes(value);
        KvOperation operation = random.Next(3) == 0 ? KvOperation.Delete : KvOperation.Put;
        KvCondition condition = (KvCondition)random.Next(3);
        ulong revision = condition == KvCondition.RevisionIs ? (ulong)random.Next(progress + 2) : 0;
        return new KvRequest(operation, Keys[random.Next(Keys.Length)], operation == KvOperation.Put ? value : default, condition, revision, operation == KvOperation.Put && random.Next(3) == 0 ? (ulong)random.Next(1, 300) : 0);
    }
}
