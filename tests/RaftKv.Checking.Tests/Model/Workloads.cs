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
}
