using RaftKv.Checking.Histories;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests.Model;

/// <summary>What the harness's workloads do, in small, on the model.</summary>
internal static class Workloads
{
    /// <summary>Every kind of call on a few keys, retried now and then under the same idempotency key.</summary>
    public static IReadOnlyList<ClientCall> Registers(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        Execution execution = new(random, store, unknown: random.Next(3) switch { 0 => 0, 1 => 0.05, _ => 0.2 });
        Dictionary<string, ulong> seen = [];
        List<ClientCall> keyed = [];
        int value = 0;
        IReadOnlyList<ClientCall> history = execution.Run(1 + random.Next(6), 10 + random.Next(60), Next);
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (last is { Kind: not CallKind.List })
                foreach (KvResult result in last.Results) seen[result.Key] = result.Revision;
            if (keyed.Count > 0 && random.Next(8) == 0) return keyed[random.Next(keyed.Count)];
            ClientCall call = random.Next(8) switch
            {
                0 => Txn(),
                1 => Asked(CallKind.Batch, [.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => One(Key()))]),
                2 => AskList("k"),
                _ => Single(One(Key())),
            };
            if (call.IsWrite && random.Next(3) == 0) keyed.Add(call = call.Keyed($"i{keyed.Count}"));
            return call;
        }

        string Key() => $"k{random.Next(4)}";

        ulong Seen(string key) => seen.GetValueOrDefault(key) is var revision and > 0 && random.Next(4) > 0 ? revision : (ulong)random.Next(1, 20);

        KvOperation One(string key) => random.Next(8) switch
        {
            0 or 1 => KvOperation.Put(key, $"v{++value}"),
            2 => KvOperation.Put(key, $"v{++value}").IfMatch(Seen(key)),
            3 => KvOperation.Put(key, $"v{++value}").IfAbsent(),
            4 => random.Next(2) == 0 ? KvOperation.Delete(key) : KvOperation.Delete(key).IfMatch(Seen(key)),
            _ => KvOperation.Get(key),
        };

        ClientCall Txn()
        {
            string left = $"k{random.Next(2)}{{t}}";
            string right = $"k{2 + random.Next(2)}{{t}}";
            if (random.Next(3) == 0) return Asked(CallKind.Txn, KvOperation.Get(left), KvOperation.Get(right));
            return Asked(CallKind.Txn, KvOperation.Put(left, $"v{++value}"), KvOperation.Put(right, $"v{++value}"), KvOperation.Get(left)) with
            {
                Compares = [new KvCompare(left, random.Next(3) == 0 ? 0 : Seen(left))],
                Else = [KvOperation.Get(left), KvOperation.Get(right)],
            };
        }

        static ClientCall Single(KvOperation operation) => Asked(operation.Kind switch
        {
            RequestKind.Get => CallKind.Get,
            RequestKind.Put => CallKind.Put,
            _ => CallKind.Delete,
        }, operation);
    }

    /// <summary>Adds of elements under "s/", some of them by batches, lists, and a final list.</summary>
    public static IReadOnlyList<ClientCall> Set(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        int element = 0;
        List<ClientCall> keyed = [];
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: 0.1).Run(1 + random.Next(5), 20 + random.Next(60), Next, AskList("s/"));
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (keyed.Count > 0 && random.Next(6) == 0) return keyed[random.Next(keyed.Count)];
            if (random.Next(5) == 0) return AskList("s/");
            ClientCall add = random.Next(3) == 0 ? Asked(CallKind.Batch, Element(), Element()) : Asked(CallKind.Put, Element());
            if (random.Next(3) == 0) keyed.Add(add = add.Keyed($"i{element}"));
            return add;
        }

        KvOperation Element() => KvOperation.Put($"s/{++element}", "x");
    }

    /// <summary>The total of every bank, by prefix.</summary>
    public static IReadOnlyDictionary<string, long> BankTotals { get; } = new Dictionary<string, long> { ["b{0}/"] = 40, ["b{1}/"] = 40 };

    /// <summary>Two banks of four accounts: opened first, then transfers and reads.</summary>
    public static IReadOnlyList<ClientCall> Bank(int seed, Lie lie, out int lies)
    {
        const int Accounts = 4;
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        string[] banks = ["b{0}/", "b{1}/"];
        Dictionary<string, KvResult[]> seen = [];
        HashSet<string> toOpen = [.. banks.SelectMany(bank => Enumerable.Range(0, Accounts).Select(i => bank + i))];
        List<ClientCall> keyed = [];
        int number = 0;
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: 0.1).Run(1 + random.Next(5), 30 + random.Next(60), Next, [.. banks.Select(ReadAll)]);
        lies = store.Lies;
        return history;

        ClientCall ReadAll(string bank) => Asked(CallKind.Txn, [.. Enumerable.Range(0, Accounts).Select(i => KvOperation.Get(bank + i))]);

        ClientCall Next(int slot, ClientCall? last)
        {
            if (last is { Kind: CallKind.Txn, Outcome: OutcomeKind.Ok } && last.Results.Length == Accounts && last.Results.All(found => found.Existed)) seen[last.Results[0].Key[..5]] = [.. last.Results];
            if (toOpen.Count > 0 && random.Next(2) == 0)
            {
                string account = toOpen.First();
                toOpen.Remove(account);
                return Asked(CallKind.Put, KvOperation.Put(account, "10").IfAbsent());
            }

            string bank = banks[random.Next(banks.Length)];
            if (keyed.Count > 0 && random.Next(8) == 0) return keyed[random.Next(keyed.Count)];
            if (random.Next(2) == 0 || !seen.TryGetValue(bank, out KvResult[]? accounts)) return ReadAll(bank);
            KvResult from = accounts[random.Next(Accounts)];
            KvResult to = accounts[random.Next(Accounts)];
            long amount = Math.Min(long.Parse(from.Value!), random.Next(1, 6));
            if (from == to || amount == 0) return ReadAll(bank);
            ClientCall transfer = Asked(CallKind.Txn, KvOperation.Put(from.Key, $"{long.Parse(from.Value!) - amount}"), KvOperation.Put(to.Key, $"{long.Parse(to.Value!) + amount}")) with
            {
                Compares = [new KvCompare(from.Key, from.Revision), new KvCompare(to.Key, to.Revision)],
                Else = ReadAll(bank).Operations,
            };
            if (random.Next(3) == 0) keyed.Add(transfer = transfer.Keyed($"i{number++}"));
            return transfer;
        }
    }

    /// <summary>Every write has an idempotency key and is repeated at random, also after it was answered; nothing is deleted. Reads of every key at the end.</summary>
    public static IReadOnlyList<ClientCall> Retries(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        List<ClientCall> keyed = [];
        Dictionary<string, ulong> seen = [];
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: random.Next(2) * 0.15).Run(1 + random.Next(5), 20 + random.Next(60), Next, [.. Enumerable.Range(0, 3).Select(i => AskGet(Key(i)))]);
        lies = store.Lies;
        return history;

        static string Key(int i) => $"r{i}";

        ClientCall Next(int slot, ClientCall? last)
        {
            if (last is not null)
                foreach (KvResult result in last.Results) seen[result.Key] = result.Revision;
            if (keyed.Count > 0 && random.Next(3) == 0) return keyed[Math.Max(0, keyed.Count - 1 - random.Next(5))];
            string key = Key(random.Next(3));
            if (random.Next(4) == 0) return AskGet(key);
            KvOperation put = KvOperation.Put(key, $"v{keyed.Count}");
            ClientCall write = random.Next(5) switch
            {
                0 => Asked(CallKind.Batch, put, KvOperation.Put(Key(random.Next(3)), $"w{keyed.Count}")),
                1 => Asked(CallKind.Put, put.IfMatch(Math.Max(1, seen.GetValueOrDefault(key)))),
                2 => Asked(CallKind.Txn, put) with { Compares = [new KvCompare(key, seen.GetValueOrDefault(key))], Else = [KvOperation.Get(key)] },
                _ => Asked(CallKind.Put, put),
            };
            keyed.Add(write = write.Keyed($"i{keyed.Count}"));
            return write;
        }
    }

    /// <summary>Lists under "a": reads of one or some, and guarded appends to one or two; a read of all at the end.</summary>
    public static IReadOnlyList<ClientCall> Append(int seed, Lie lie, out int lies)
    {
        const int Lists = 3;
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        Dictionary<int, Dictionary<string, KvResult>> seen = [];
        List<ClientCall> keyed = [];
        int element = 0;
        KvOperation[] all = [.. Enumerable.Range(0, Lists).Select(i => KvOperation.Get($"a{i}{{t}}"))];
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: random.Next(3) * 0.08).Run(1 + random.Next(6), 20 + random.Next(60), Next, Asked(CallKind.Txn, all));
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (!seen.TryGetValue(slot, out Dictionary<string, KvResult>? mine)) seen.Add(slot, mine = []);
            if (last is not null)
                foreach (KvResult result in last.Results) mine[result.Key] = result;
            if (keyed.Count > 0 && random.Next(10) == 0) return keyed[random.Next(keyed.Count)];
            KvResult[] lists = [.. mine.Values.Where(list => list.Value is not null || list.Revision == 0)]; // What was read, not what was written.
            random.Shuffle(lists);
            if (lists.Length == 0 || random.Next(2) == 0) return random.Next(3) == 0 ? Asked(CallKind.Get, all[random.Next(Lists)]) : Asked(CallKind.Txn, [.. all.Take(1 + random.Next(Lists))]);
            lists = [.. lists.Take(1 + random.Next(2))];
            mine.Clear();
            ClientCall append = Asked(CallKind.Txn, [.. lists.Select(list => KvOperation.Put(list.Key, list.Value is null ? $"{++element}" : $"{list.Value},{++element}")), .. all.Take(random.Next(2))]) with
            {
                Compares = [.. lists.Select(list => new KvCompare(list.Key, list.Revision))],
                Else = [.. all],
            };
            if (random.Next(4) == 0) keyed.Add(append = append.Keyed($"i{keyed.Count}"));
            return append;
        }
    }

    /// <summary>Keys put for one second or for ever, deleted now and then, and read; time goes fast enough for them to expire.</summary>
    public static IReadOnlyList<ClientCall> Ttl(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        List<ClientCall> keyed = [];
        int value = 0;
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: random.Next(3) * 0.08, microsPerCall: 150_000).Run(1 + random.Next(4), 30 + random.Next(60), Next);
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (keyed.Count > 0 && random.Next(10) == 0) return keyed[random.Next(keyed.Count)];
            string key = $"t{random.Next(6)}";
            ClientCall call = random.Next(10) switch
            {
                0 or 1 => AskPut(key, $"v{++value}", ttl: 1),
                2 when random.Next(3) == 0 => AskPut(key, $"v{++value}"),
                3 when random.Next(3) == 0 => AskDelete(key),
                4 => AskList("t"),
                _ => AskGet(key),
            };
            if (call.IsWrite && random.Next(4) == 0) keyed.Add(call = call.Keyed($"i{keyed.Count}"));
            return call;
        }
    }

    /// <summary>Puts, deletes, retried now and then, and reads, half of them stale.</summary>
    public static IReadOnlyList<ClientCall> Monotonic(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        List<ClientCall> keyed = [];
        int value = 0;
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: random.Next(3) * 0.08).Run(1 + random.Next(4), 30 + random.Next(60), Next);
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (keyed.Count > 0 && random.Next(10) == 0) return keyed[random.Next(keyed.Count)];
            string key = $"m{random.Next(3)}";
            ClientCall call = random.Next(8) switch
            {
                0 or 1 => AskPut(key, $"v{++value}"),
                2 => random.Next(2) == 0 ? AskDelete(key) : Asked(CallKind.Batch, KvOperation.Put(key, $"v{++value}"), KvOperation.Put($"m{random.Next(3)}", $"v{++value}"), KvOperation.Get(key)),
                3 or 4 or 5 => AskGet(key, Freshness.Stale),
                _ => AskGet(key),
            };
            if (call.IsWrite && random.Next(4) == 0) keyed.Add(call = call.Keyed($"i{keyed.Count}"));
            return call;
        }
    }

    /// <summary>Increments of "c" by compare-and-set, reads, and a read at the end.</summary>
    public static IReadOnlyList<ClientCall> Counter(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 1, lie);
        List<ClientCall> keyed = [];
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: random.Next(3) * 0.08).Run(1 + random.Next(5), 30 + random.Next(60), Next, AskGet("c"));
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (keyed.Count > 0 && random.Next(10) == 0) return keyed[random.Next(keyed.Count)];
            if (last is not { Kind: CallKind.Get, Outcome: OutcomeKind.Ok }) return AskGet("c");
            KvResult read = last.Results[0];
            ClientCall increment = Asked(CallKind.Put, read.Existed ? KvOperation.Put("c", $"{long.Parse(read.Value!) + 1}").IfMatch(read.Revision) : KvOperation.Put("c", "1").IfAbsent());
            if (random.Next(4) == 0) keyed.Add(increment = increment.Keyed($"i{keyed.Count}"));
            return increment;
        }
    }

    /// <summary>Every kind of write on keys of two shards, and lists of them all and of some.</summary>
    public static IReadOnlyList<ClientCall> Lists(int seed, Lie lie, out int lies)
    {
        Random random = new(seed);
        ModelStore store = new(random, shards: 2, lie);
        List<ClientCall> keyed = [];
        int value = 0;
        IReadOnlyList<ClientCall> history = new Execution(random, store, unknown: random.Next(3) * 0.08).Run(1 + random.Next(5), 30 + random.Next(60), Next);
        lies = store.Lies;
        return history;

        ClientCall Next(int slot, ClientCall? last)
        {
            if (keyed.Count > 0 && random.Next(10) == 0) return keyed[random.Next(keyed.Count)];
            if (random.Next(3) == 0) return AskList(random.Next(2) == 0 ? "l" : "l1");
            ClientCall call = random.Next(6) switch
            {
                0 => AskDelete(Key()),
                1 => Asked(CallKind.Batch, Put(Key()), Put(Key()), KvOperation.Delete(Key())),
                2 => Asked(CallKind.Txn, Put("l1{t}"), Put("l2{t}")),
                3 when random.Next(4) == 0 => AskPut("l3", $"v{++value}", ttl: 1),
                _ => Asked(CallKind.Put, Put(Key())),
            };
            if (random.Next(4) == 0) keyed.Add(call = call.Keyed($"i{keyed.Count}"));
            return call;
        }

        string Key() => $"l{random.Next(14)}";

        KvOperation Put(string key) => KvOperation.Put(key, $"v{++value}");
    }
}
