using System.Globalization;
using System.Text;
using RaftKv.Client;
using RaftKv.Contracts;

namespace RaftKv.Bench.Tests;

/// <summary>What the clients ask for.</summary>
public sealed class WorkloadTests
{
    private static readonly LoadPlan Plan = new() { Protocol = LoadProtocol.RaftKvHttp1, Endpoints = [new ClientEndpoint("h", 1)], Clients = 3, Connections = 3, Keys = 50, ValueBytes = 20, ReadShare = 0.5 };

    [Fact]
    public void A_client_draws_the_same_requests_whoever_is_answered_first()
    {
        RandomWorkload inTurn = new(Plan);
        RandomWorkload oneByOne = new(Plan);
        string[][] turns = [.. Enumerable.Range(0, 40).Select(_ => Enumerable.Range(0, 3).Select(client => Draw(inTurn, client)).ToArray())];
        for (int client = 2; client >= 0; client--) Assert.Equal(turns.Select(turn => turn[client]), Enumerable.Range(0, 40).Select(_ => Draw(oneByOne, client)));
        Assert.NotEqual(turns.Select(turn => turn[0]), turns.Select(turn => turn[1]));
    }

    [Fact]
    public void Another_seed_draws_other_requests() =>
        Assert.NotEqual(Draws(new RandomWorkload(Plan), 20), Draws(new RandomWorkload(Plan with { Seed = 2 }), 20));

    [Fact]
    public void Keys_are_drawn_from_all_and_kinds_by_their_share()
    {
        string[] draws = [.. Draws(new RandomWorkload(Plan), 5_000)];
        Assert.Equal(Enumerable.Range(0, 50).Select(Key), draws.Select(draw => draw[4..20]).Distinct().Order());
        Assert.InRange(draws.Count(draw => draw.StartsWith("get", StringComparison.Ordinal)), 2_300, 2_700);
        Assert.DoesNotContain(Draws(new RandomWorkload(Plan with { ReadShare = 0 }), 500), draw => draw.StartsWith("get", StringComparison.Ordinal));
        Assert.DoesNotContain(Draws(new RandomWorkload(Plan with { ReadShare = 1 }), 500), draw => draw.StartsWith("put", StringComparison.Ordinal));
    }

    [Fact]
    public void A_client_keeps_to_its_lane()
    {
        LoadPlan plan = Plan with { Lanes = [[1, 2], [7]] };
        RandomWorkload workload = new(plan);
        Assert.Equal([Key(1), Key(2)], Enumerable.Range(0, 100).Select(_ => Draw(workload, 2)[4..20]).Distinct().Order());
        Assert.Equal([Key(7)], Enumerable.Range(0, 100).Select(_ => Draw(workload, 1)[4..20]).Distinct());
    }

    [Fact]
    public void Lanes_hold_exactly_the_keys_of_their_shards()
    {
        ShardMap map = ShardMap.Initial(["a"], 4, 1);
        var lanes = KeySpace.LanesOf(map, [3, 1], 1_000);
        Assert.Equal(2, lanes.Length);
        foreach (var (lane, shard) in lanes.Zip((ulong[])[3, 1]))
            Assert.Equal(Enumerable.Range(0, 1_000).Where(number => map.ByKey(Encoding.ASCII.GetBytes(Key(number))).Id == shard), lane);
    }

    [Fact]
    public void Idempotency_keys_are_UUIDs_of_version_7_of_this_moment_and_never_repeat()
    {
        long before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        RandomWorkload workload = new(Plan with { ReadShare = 0, HasIdempotencyKeys = true });
        string[] keys = [.. Draws(workload, 1_000).Select(draw => draw.Split(' ')[3])];
        long after = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        Assert.All(keys, key =>
        {
            Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", key);
            Assert.InRange(long.Parse(key.Replace("-", "", StringComparison.Ordinal)[..12], NumberStyles.HexNumber, CultureInfo.InvariantCulture), before, after);
        });
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void Filling_writes_every_key_once_and_what_failed_again()
    {
        FillWorkload fill = new(Plan);
        List<string> written = [];
        Random random = new(3);
        while (!fill.IsExhausted)
        {
            int client = random.Next(3);
            if (!fill.TryNext(client, out Operation operation)) continue;
            bool fails = random.Next(4) == 0;
            if (!fails) written.Add(Encoding.ASCII.GetString(operation.Key));
            fill.OnAnswer(client, fails ? AnswerKind.Unknown : AnswerKind.Done);
        }

        Assert.Equal(Enumerable.Range(0, 50).Select(Key), written.Order());
        Assert.Equal(50, fill.Written);
        Assert.False(fill.TryNext(0, out _));
    }

    [Fact]
    public void Filling_is_not_done_before_the_last_answer()
    {
        FillWorkload fill = new(Plan with { Keys = 1 });
        Assert.True(fill.TryNext(0, out _));
        Assert.False(fill.TryNext(1, out _));
        Assert.False(fill.IsExhausted);
        fill.OnAnswer(0, AnswerKind.Refused);
        Assert.True(fill.TryNext(1, out _));
        fill.OnAnswer(1, AnswerKind.Done);
        Assert.True(fill.IsExhausted);
    }

    public static TheoryData<LoadPlan, string> Impossible => new()
    {
        { Plan with { Endpoints = [] }, "no endpoint" },
        { Plan with { Clients = 0, Connections = 0 }, "clients 0: must be from 1 to 10000" },
        { Plan with { Clients = 10_001, Connections = 1 }, "clients 10001" },
        { Plan with { Connections = 4, Protocol = LoadProtocol.RaftKvHttp2 }, "connections 4: must be from 1 to 3" },
        { Plan with { Connections = 2 }, "connections 2: over HTTP/1.1" },
        { Plan with { ValueBytes = (16 * 1024 * 1024) + 1 }, "value-bytes 16777217" },
        { Plan with { Keys = 0 }, "keys 0" },
        { Plan with { ReadShare = 1.5 }, "reads 1.5" },
        { Plan with { ReadShare = double.NaN }, "reads NaN" },
        { Plan with { Duration = TimeSpan.Zero }, "seconds 0" },
        { Plan with { WarmUp = TimeSpan.FromSeconds(-1) }, "warm-up -1" },
        { Plan with { RequestTimeout = TimeSpan.Zero }, "request-timeout 0" },
        { Plan with { Protocol = LoadProtocol.EtcdGrpc, HasIdempotencyKeys = true }, "etcd has no idempotency keys" },
        { Plan with { Lanes = [[]] }, "a lane is empty" },
        { Plan with { Lanes = [[50]] }, "a lane is empty or names a key" },
    };

    [Theory]
    [MemberData(nameof(Impossible), DisableDiscoveryEnumeration = true)]
    public void An_impossible_plan_is_refused_with_field_limit_and_value(LoadPlan plan, string complaint) =>
        Assert.Contains(complaint, Assert.Throws<LoadException>(plan.Check).Message, StringComparison.Ordinal);

    private static string Key(int number) => $"bench-{number:0000000000}";

    private static IEnumerable<string> Draws(Workload workload, int count) => Enumerable.Range(0, count).Select(_ => Draw(workload, 0));

    private static string Draw(Workload workload, int client)
    {
        Assert.True(workload.TryNext(client, out Operation operation));
        string key = Encoding.ASCII.GetString(operation.Key);
        if (operation.IsRead) return $"get {key}";
        Assert.Equal(20, operation.Value.Length);
        return $"put {key} {Convert.ToHexString(operation.Value)} {Encoding.ASCII.GetString(operation.IdempotencyKey)}";
    }
}
