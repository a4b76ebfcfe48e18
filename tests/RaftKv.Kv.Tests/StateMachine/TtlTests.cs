using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>A value with a ttl goes by an Expire entry whose stamp has passed its deadline, by nothing else (design §9).</summary>
public sealed class TtlTests : IDisposable
{
    private const ulong Start = 1_000_000;

    private readonly SimStore _store = new();
    private readonly KvStateMachine _machine;

    public TtlTests()
    {
        KvStateMachine.InitialiseStore(_store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        _machine = new KvStateMachine(Shard.Id, _store, Limits.Default);
    }

    public void Dispose()
    {
        _machine.Dispose();
        _store.Dispose();
    }

    [Fact]
    public void A_value_is_there_until_an_expire_has_passed_its_deadline()
    {
        Put("a", ttl: 500, stamp: Start);
        Expire(Start + 499);
        Assert.NotNull(_machine.Get("a"u8).Value);
        Expire(Start + 500);
        Assert.Equal((null, 0UL), (_machine.Get("a"u8).Value, _machine.Get("a"u8).Revision));
        Assert.Equal(2UL, _machine.Meta.Revision); // It is a delete like any other.
        Assert.Equal(new KvApplied(null, 3, 0, 3, 1, false, ShardEpoch.Initial), Put("a"));
    }

    [Fact]
    public void No_other_entry_removes_it_however_late_its_stamp()
    {
        Put("a", ttl: 500, stamp: Start);
        Put("b", stamp: Start + 10_000);
        KvRead read = _machine.Get("a"u8);
        Assert.NotNull(read.Value);
        Assert.Equal(1UL, read.TtlMillis); // Never 0, which is for ever.
        Assert.Equal(ErrorCode.PreconditionFailed, Apply(new KvRequest(KvOperation.Put, Entries.Bytes("a"), default, KvCondition.Absent)).Error);
    }

    [Fact]
    public void A_deadline_counts_from_the_shards_time_and_reads_say_what_is_left()
    {
        Put("z", stamp: Start);
        Put("a", ttl: 500, stamp: 3); // A stamp that went back does not move time back.
        Assert.Equal(500UL, _machine.Get("a"u8).TtlMillis);
        Put("z", stamp: Start + 200);
        Assert.Equal(300UL, _machine.Get("a"u8).TtlMillis);
        Assert.Equal(0UL, _machine.Get("z"u8).TtlMillis);
        Assert.Equal(["32 1000500 2 a"], Deadlines());
    }

    [Fact]
    public void Another_put_replaces_the_deadline_or_clears_it_and_so_does_a_delete()
    {
        Put("a", ttl: 500, stamp: Start);
        Put("a", ttl: 100, stamp: Start + 50);
        Assert.Equal(["32 1000150 2 a"], Deadlines());
        Put("a");
        Assert.Empty(Deadlines());
        Assert.Equal(0UL, _machine.Get("a"u8).TtlMillis);
        Put("a", ttl: 500);
        Apply(new KvRequest(KvOperation.Delete, Entries.Bytes("a")));
        Assert.Empty(Deadlines());
        Expire(Start + 10_000);
        Assert.Equal(5UL, _machine.Meta.Revision);
    }

    [Fact]
    public void Also_within_one_batch()
    {
        _machine.Begin();
        _machine.Apply(Entries.Command(11, With("a", 500), stamp: Start), false);
        _machine.Apply(Entries.Command(12, With("a", 700)), false);
        _machine.Apply(Entries.Command(13, With("b", 100)), false);
        _machine.Apply(Entries.Expire(14, Start + 600), false);
        _machine.Apply(Entries.Command(15, With("b", 50)), false);
        _machine.Commit();
        Assert.Equal(["32 1000650 5 b", "32 1000700 2 a"], Deadlines());
        Assert.Equal(Start + 650, _machine.NextDeadlineMillis);
    }

    [Fact]
    public void A_refused_put_leaves_the_deadline_as_it_is()
    {
        Put("a", ttl: 500, stamp: Start);
        Apply(With("a", 900) with { Condition = KvCondition.Absent });
        Assert.Equal(["32 1000500 1 a"], Deadlines());
    }

    [Fact]
    public void Expire_removes_in_the_order_of_deadlines_and_honours_the_revision_floor()
    {
        Put("late", ttl: 300, stamp: Start);
        Put("early", ttl: 200);
        Put("never");
        Put("later", ttl: 301);
        Expire(Start + 300, floor: 50);
        Assert.Equal(51UL, _machine.Meta.Revision);
        string[] changes = [.. Shard.RowsOf(_store).Where(row => row.Key[0] == RowLayout.ChangeTag).Select(row => System.Text.Encoding.UTF8.GetString(row.Value))];
        Assert.Equal(["late", "early", "never", "later", "early", "late"], changes);
        Assert.Equal(["32 1000301 4 later"], Deadlines());
    }

    [Fact]
    public void One_expire_removes_a_thousand_and_the_next_one_the_rest()
    {
        for (int i = 0; i < 1_100; i++) Put($"k{i}", ttl: 10, stamp: Start);
        Expire(Start + 10);
        Assert.Equal(100, Deadlines().Length);
        Assert.Equal(Start + 10, _machine.NextDeadlineMillis); // Due at once.
        Expire(Start + 10);
        Assert.Empty(Deadlines());
        Assert.Null(_machine.NextDeadlineMillis);
    }

    [Fact]
    public void The_next_deadline_is_the_earliest_of_both_kinds_also_after_a_restart()
    {
        Assert.Null(_machine.NextDeadlineMillis);
        Put("z", stamp: Start);
        Assert.Null(_machine.NextDeadlineMillis);
        Apply(With("a", 0) with { IdempotencyKey = Entries.Bytes("id") });
        ulong ofRecord = Start + (ulong)Limits.Default.IdempotencyWindowMillis;
        Assert.Equal(ofRecord, _machine.NextDeadlineMillis);
        Put("b", ttl: 700);
        Assert.Equal(Start + 700, _machine.NextDeadlineMillis);
        using (KvStateMachine again = new(Shard.Id, _store, Limits.Default)) Assert.Equal((Start + 700, Start), (again.NextDeadlineMillis, again.TimeMillis));
        Expire(Start + 700);
        Assert.Equal(ofRecord, _machine.NextDeadlineMillis);
        Expire(ofRecord);
        Assert.Null(_machine.NextDeadlineMillis);
    }

    [Fact]
    public void The_deadline_command_is_an_expire() => Assert.Equal(KvOperation.Expire, KvRequest.Decode(_machine.DeadlineCommand).Operation);

    private static KvRequest With(string key, ulong ttl) => new(KvOperation.Put, Entries.Bytes(key), Entries.Bytes("v"), TtlMillis: ttl);

    private KvApplied Put(string key, ulong ttl = 0, ulong stamp = 0) => Apply(With(key, ttl), stamp);

    private KvApplied Apply(KvRequest request, ulong stamp = 0)
    {
        _machine.Begin();
        KvApplied applied = (KvApplied)_machine.Apply(Entries.Command(_machine.Applied.Next.Value, request, stamp: stamp), true)!;
        _machine.Commit();
        return applied;
    }

    private void Expire(ulong stamp, ulong floor = 0)
    {
        _machine.Begin();
        _machine.Apply(Entries.Expire(_machine.Applied.Next.Value, stamp, floor), false);
        _machine.Commit();
    }

    /// <summary>The rows of ttl deadlines: tag, deadline, revision, key.</summary>
    private string[] Deadlines() =>
    [
        .. Shard.RowsOf(_store).Where(row => row.Key[0] == RowLayout.TtlDeadlineTag)
            .Select(row => $"{row.Key[0]:x} {RowLayout.DeadlineOf(row.Key, RowLayout.TtlDeadlineTag)} {RowLayout.TtlRevisionOf(row.Key)} {System.Text.Encoding.UTF8.GetString(RowLayout.TtlKeyOf(row.Key))}"),
    ];
}
