using System.Collections.Immutable;
using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Tests.Model;

/// <summary>What the model gets wrong on purpose.</summary>
internal enum Lie
{
    None,

    /// <summary>An acknowledged write is not there.</summary>
    LosesWrites,

    /// <summary>A linearizable read shows what was there some time ago, and says so.</summary>
    ReadsOldStates,

    /// <summary>A repeated write is applied again.</summary>
    ForgetsKeys,

    /// <summary>A write that was told to have failed is there.</summary>
    KeepsFailedWrites,

    /// <summary>Of a transaction one write only.</summary>
    HalvesTransactions,

    /// <summary>Comparisons and conditions hold whatever the key is.</summary>
    IgnoresConditions,

    /// <summary>Some keys with a ttl go long before their time.</summary>
    ExpiresEarly,

    /// <summary>Some keys with a ttl stay.</summary>
    NeverExpires,

    /// <summary>A stale read says that it is younger than it is.</summary>
    LiesAboutAge,

    /// <summary>A list leaves a key out.</summary>
    SkipsKeys,

    /// <summary>A list shows some keys as they were.</summary>
    ListsOldValues,
}

/// <summary>A store that executes calls, each at one moment: shards with indexes and revisions, keys with versions and deadlines, records of idempotency keys.</summary>
internal sealed class ModelStore(Random random, int shards = 2, Lie lie = Lie.None)
{
    /// <summary>How late at most a key may go.</summary>
    public const long GraceMicros = 200_000;
    private const int LiesPerMille = 50;

    /// <summary>Few calls fail.</summary>
    private const int KeptFailuresPerMille = 300;

    /// <summary>Few puts have a ttl, and fewer are looked at again.</summary>
    private const int WrongTtlsPerMille = 200;
    private readonly Shard[] _shards = [.. Enumerable.Range(0, shards).Select(i => new Shard((ulong)i + 1))];
    private readonly SortedDictionary<string, List<Version>> _keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Recorded> _records = [];
    private bool _hasDeadlines;

    /// <summary>How many answers were lies.</summary>
    public int Lies { get; private set; }

    /// <summary>Executes a call now; times never go back. The answer has outcome Ok or Refused.</summary>
    public ClientCall Execute(ClientCall call, long now)
    {
        if (_hasDeadlines)
            foreach (string key in _keys.Keys.ToArray()) Expire(key, now);
        return call.Kind switch
        {
            CallKind.List => List(call, now),
            CallKind.Txn => Once(call, "", () => Txn(call, now)),
            CallKind.Batch => Batch(call, now),
            _ => Single(call, now),
        };
    }

    /// <summary>The call is told to have failed, and so it must have; but for a liar.</summary>
    public void Fail(ClientCall call, long now)
    {
        if (call.IsWrite && IsLying(Lie.KeepsFailedWrites, KeptFailuresPerMille)) Execute(call, now);
    }

    private bool IsLying(Lie kind, int perMille = LiesPerMille)
    {
        bool lies = lie == kind && random.Next(1000) < perMille;
        if (lies) Lies++;
        return lies;
    }

    private ClientCall Single(ClientCall call, long now)
    {
        KvOperation asked = call.Operations[0];
        if (asked.Kind == RequestKind.Get) return call.Freshness == Freshness.Stale ? StaleGet(call, now) : Answered(call, [Get(asked.Key)]);
        return Once(call, "", () => Answered(call, [Write(asked, ShardOf(asked.Key).NextIndex(now), 0, null, now)]));
    }

    private ClientCall Batch(ClientCall call, long now)
    {
        KvResult[] results = new KvResult[call.Operations.Length];
        Dictionary<Shard, ulong> indexes = [];
        bool allReplays = true;
        // The reads are requests of their own, here the first.
        for (int i = 0; i < results.Length; i++)
            if (call.Operations[i].Kind == RequestKind.Get) results[i] = Get(call.Operations[i].Key);
        for (int i = 0; i < results.Length; i++)
        {
            KvOperation asked = call.Operations[i];
            if (asked.Kind == RequestKind.Get) continue;
            Shard shard = ShardOf(asked.Key);
            int item = i;
            ClientCall one = Once(call, $"/{i}", () =>
            {
                if (!indexes.TryGetValue(shard, out ulong index)) indexes.Add(shard, index = shard.NextIndex(now));
                return Answered(call, [Write(asked, index, item, null, now)]);
            });
            allReplays &= one.IsReplay;
            results[i] = one.Results[0];
        }

        return call with { Outcome = OutcomeKind.Ok, Results = [.. results], IsReplay = allReplays && call.IsWrite };
    }

    private ClientCall Txn(ClientCall call, long now)
    {
        Shard shard = ShardOf((call.Operations.IsEmpty ? call.Else : call.Operations)[0].Key);
        bool holds = call.Compares.All(compare => Current(compare.Key).CurrentRevision == compare.Revision) || IsLying(Lie.IgnoresConditions);
        ImmutableArray<KvOperation> branch = holds ? call.Operations : call.Else;
        ulong index = call.IsWrite ? shard.NextIndex(now) : shard.Index;
        ulong revision = shard.Revision + 1;
        bool halves = branch.Count(operation => operation.Kind != RequestKind.Get) > 1 && IsLying(Lie.HalvesTransactions);
        bool writes = false;
        List<KvResult> results = [];
        for (int i = 0; i < branch.Length; i++)
        {
            KvOperation asked = branch[i];
            if (asked.Kind == RequestKind.Get)
            {
                results.Add(Get(asked.Key) with { Position = new Position(shard.Id, index, call.IsWrite ? i : Position.BehindEntry) });
                continue;
            }

            if (halves && writes)
            {
                results.Add(new KvResult(asked.Key, OutcomeKind.Ok, true, null, revision, Current(asked.Key).CurrentRevision, 0, new Position(shard.Id, index, i)));
                continue;
            }

            KvResult written = Write(asked, index, i, revision, now);
            writes |= written.Revision > 0;
            results.Add(written);
        }

        return Answered(call, results) with { Outcome = OutcomeKind.Ok, Succeeded = holds };
    }

    private ClientCall List(ClientCall call, long now)
    {
        List<KvResult> found = [];
        foreach (string key in _keys.Keys.Where(key => key.StartsWith(call.Prefix, StringComparison.Ordinal)).ToArray())
        {
            KvResult result = IsLying(Lie.ListsOldValues) ? Old(key, now) : Get(key);
            if (result.Existed && !IsLying(Lie.SkipsKeys)) found.Add(result);
        }

        return call with { Outcome = OutcomeKind.Ok, Results = [.. found] };
    }

    private ClientCall StaleGet(ClientCall call, long now)
    {
        string key = call.Operations[0].Key;
        Shard shard = ShardOf(key);
        long age = random.Next(20_000);
        KvResult result = At(key, shard.IndexAt(now - age));
        long told = IsLying(Lie.LiesAboutAge) ? 0 : (age + 999) / 1000;
        return Answered(call, [result]) with { AgeMillis = told };
    }

    private KvResult Get(string key)
    {
        if (IsLying(Lie.ReadsOldStates)) return Old(key, long.MaxValue) with { Position = ReadPosition(key) };
        return Current(key).Found(key, ReadPosition(key));
    }

    /// <summary>Some version that is no more.</summary>
    private KvResult Old(string key, long now)
    {
        List<Version> versions = Versions(key);
        Version version = versions.Count < 2 ? default : versions[random.Next(versions.Count - 1)];
        return version.Found(key, ReadPosition(key));
    }

    private KvResult At(string key, ulong index) => Versions(key).LastOrDefault(version => version.Index <= index).Found(key, Position.OfRead(ShardOf(key).Id, index));

    private KvResult Write(KvOperation asked, ulong index, int item, ulong? revisionOfAll, long now)
    {
        Shard shard = ShardOf(asked.Key);
        Version current = Current(asked.Key);
        Position position = Position.OfWrite(shard.Id, index, item);
        bool holds = asked.Condition switch
        {
            ConditionKind.IfMatch => current.CurrentRevision == asked.MatchRevision,
            ConditionKind.IfNoneMatch => current.Value is null,
            _ => true,
        };
        if (!holds && !IsLying(Lie.IgnoresConditions)) return new KvResult(asked.Key, OutcomeKind.Refused, false, null, current.CurrentRevision, 0, 0, position);
        if (asked.Kind == RequestKind.Delete && current.Value is null) return new KvResult(asked.Key, OutcomeKind.Ok, false, null, 0, 0, 0, position);
        ulong revision = revisionOfAll ?? shard.Revision + 1;
        shard.Revision = revision;
        Version next = asked.Kind == RequestKind.Delete ? new Version(index, null, revision, 0, 0) : new Version(index, asked.Value, revision, current.Value is null ? 1 : current.Count + 1, DeadlineOf(asked, now));
        if (!IsLying(Lie.LosesWrites)) Versions(asked.Key).Add(next);
        return new KvResult(asked.Key, OutcomeKind.Ok, current.Value is not null, null, revision, current.CurrentRevision, next.Count, position);
    }

    private long DeadlineOf(KvOperation put, long now)
    {
        if (put.TtlSeconds is not { } seconds) return 0;
        _hasDeadlines = true;
        if (IsLying(Lie.NeverExpires, WrongTtlsPerMille)) return 0;
        return IsLying(Lie.ExpiresEarly, WrongTtlsPerMille) ? now + 1 : now + seconds * 1_000_000L + random.Next((int)GraceMicros);
    }

    private void Expire(string key, long now)
    {
        Version current = Current(key);
        if (current.Value is null || current.Deadline == 0 || current.Deadline > now) return;
        Shard shard = ShardOf(key);
        ulong index = shard.NextIndex(now);
        Versions(key).Add(new Version(index, null, ++shard.Revision, 0, 0));
    }

    /// <summary>Under one key and name one write happens, and every attempt is told its result.</summary>
    private ClientCall Once(ClientCall call, string name, Func<ClientCall> execute)
    {
        if (call.IdempotencyKey.Length == 0 || !call.IsWrite) return execute();
        string record = call.IdempotencyKey + name;
        if (_records.TryGetValue(record, out Recorded? first) && !IsLying(Lie.ForgetsKeys))
            return call with { Outcome = first.Outcome, Results = first.Results, Succeeded = first.Succeeded, IsReplay = true };
        ClientCall answer = execute();
        _records[record] = new Recorded(answer.Outcome, answer.Results, answer.Succeeded);
        return answer;
    }

    private static ClientCall Answered(ClientCall call, List<KvResult> results) => call with { Outcome = results[0].Outcome, Results = [.. results] };

    private Version Current(string key) => Versions(key).LastOrDefault();

    private List<Version> Versions(string key)
    {
        if (!_keys.TryGetValue(key, out List<Version>? versions)) _keys.Add(key, versions = []);
        return versions;
    }

    private Position ReadPosition(string key) => Position.OfRead(ShardOf(key).Id, ShardOf(key).Index);

    /// <summary>Keys that share what stands in braces share a shard.</summary>
    private Shard ShardOf(string key)
    {
        int open = key.IndexOf('{');
        int close = key.IndexOf('}');
        string tag = open >= 0 && close > open ? key[open..close] : key;
        return _shards[tag.Sum(character => character) % _shards.Length];
    }

    private sealed class Shard(ulong id)
    {
        private readonly List<(long Time, ulong Index)> _applied = [];

        public ulong Id { get; } = id;

        public ulong Index { get; private set; }

        public ulong Revision { get; set; }

        public ulong NextIndex(long now)
        {
            Index++;
            _applied.Add((now, Index));
            return Index;
        }

        public ulong IndexAt(long time) => _applied.LastOrDefault(entry => entry.Time <= time).Index;
    }

    /// <param name="Value">Null: deleted.</param>
    /// <param name="Deadline">0: none.</param>
    private readonly record struct Version(ulong Index, string? Value, ulong Revision, ulong Count, long Deadline)
    {
        public ulong CurrentRevision => Value is null ? 0 : Revision;

        public KvResult Found(string key, Position position) => new(key, OutcomeKind.Ok, Value is not null, Value, CurrentRevision, 0, Value is null ? 0 : Count, position);
    }

    private sealed record Recorded(OutcomeKind Outcome, ImmutableArray<KvResult> Results, bool Succeeded);
}
