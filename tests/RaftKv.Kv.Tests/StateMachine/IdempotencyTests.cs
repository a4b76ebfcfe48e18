using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>A write with an idempotency key is applied at most once inside the window, and refused for certain after it (design §9).</summary>
public sealed class IdempotencyTests : IDisposable
{
    private const ulong Window = 600_000;
    private const ulong Start = 1_000_000;

    private readonly SimStore _store = new();
    private KvStateMachine _machine;

    public IdempotencyTests()
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
    public void A_repetition_gives_the_first_result_and_position_and_changes_nothing()
    {
        ApplyAlone(Put("a", "0"));
        KvApplied first = ApplyAlone(Put("a", "1", "id"));
        Assert.Equal(new KvApplied(null, 2, 1, 1, 2, true, ShardEpoch.Initial), first);
        ApplyAlone(Put("a", "2"));
        string[] rows = RowsBesideMeta();
        Assert.Equal(first with { FirstIndex = new LogIndex(12), FirstTerm = new Term(6) }, ApplyAlone(Put("a", "1", "id")));
        Assert.Equal(rows, RowsBesideMeta());
        Assert.Equal(3UL, _machine.Meta.Revision);
    }

    [Fact]
    public void A_repetition_in_the_same_batch_is_one_too()
    {
        _machine.Begin();
        KvApplied first = Apply(Command(11, Put("a", "1", "id")));
        KvApplied second = Apply(Command(12, Put("a", "1", "id")));
        _machine.Commit();
        Assert.Equal(first with { FirstIndex = new LogIndex(11), FirstTerm = new Term(6) }, second);
        Assert.Equal((1UL, 1UL), (_machine.Meta.Revision, _machine.Meta.DedupRecords));
    }

    /// <summary>A record hangs on its user key (design §9): the same idempotency key at another key is another write.</summary>
    [Fact]
    public void Records_are_by_key_and_idempotency_key()
    {
        Assert.False(ApplyAlone(Put("a", "1", "id")).IsReplay);
        Assert.False(ApplyAlone(Put("b", "1", "id")).IsReplay);
        Assert.False(ApplyAlone(Put("a", "1", "id2")).IsReplay);
        Assert.False(ApplyAlone(Put("a\0", "1", "id")).IsReplay);
        Assert.Equal(4UL, _machine.Meta.DedupRecords);
    }

    [Fact]
    public void A_refused_condition_is_recorded_and_refused_again_when_it_would_hold()
    {
        ApplyAlone(Put("a", "1"));
        KvRequest absent = Put("a", "2", "id") with { Condition = KvCondition.Absent };
        KvApplied first = ApplyAlone(absent);
        Assert.Same(ErrorCode.PreconditionFailed, first.Error);
        ApplyAlone(new KvRequest(KvOperation.Delete, Entries.Bytes("a")));
        Assert.Equal(first with { FirstIndex = new LogIndex(12), FirstTerm = new Term(6) }, ApplyAlone(absent));
        Assert.Null(_machine.Get("a"u8).Value);
    }

    [Fact]
    public void A_delete_is_replayed_too_also_one_of_nothing()
    {
        KvRequest delete = new(KvOperation.Delete, Entries.Bytes("a"), IdempotencyKey: Entries.Bytes("id"));
        KvApplied first = ApplyAlone(delete);
        ApplyAlone(Put("a", "1"));
        Assert.Equal(first with { FirstIndex = new LogIndex(11), FirstTerm = new Term(6) }, ApplyAlone(delete));
        Assert.NotNull(_machine.Get("a"u8).Value);
    }

    [Fact]
    public void Another_request_under_the_same_key_is_refused_whatever_differs()
    {
        KvRequest first = Put("a", "1", "id");
        ApplyAlone(first);
        KvRequest[] others =
        [
            first with { Value = Entries.Bytes("2") },
            first with { TtlMillis = 5 },
            first with { Condition = KvCondition.Absent },
            first with { Operation = KvOperation.Delete, Value = default },
        ];
        foreach (KvRequest other in others) Assert.Same(ErrorCode.IdempotencyKeyReused, ApplyAlone(other).Error);
        Assert.True(ApplyAlone(first).IsReplay);
        Assert.Equal(1UL, _machine.Meta.Revision);
    }

    /// <summary>The record is written with what it is of: after a crash both are there, or both come again from the log.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_a_crash_back_to_the_last_flush_the_repetition_is_still_one(bool isFlushed)
    {
        KvRequest write = Put("a", "1", "id");
        KvApplied first = ApplyAlone(write);
        if (isFlushed) _machine.Flush();
        ApplyAlone(Put("a", "2"));
        Reopen(crash: true);
        Assert.Equal(isFlushed ? 11UL : 10UL, _machine.Applied.Value);
        if (!isFlushed) Assert.Equal(first, ApplyAlone(write));
        ApplyAlone(Put("a", "2"));
        Assert.Equal(first with { FirstIndex = new LogIndex(11), FirstTerm = new Term(6) }, ApplyAlone(write));
        Assert.Equal("2"u8, _machine.Get("a"u8).Value!);
    }

    [Fact]
    public void The_window_ends_by_expire_only_and_then_a_dated_key_is_refused_by_the_floor()
    {
        byte[] id = Entries.Uuid7(5_000);
        KvRequest write = Put("a", "1") with { IdempotencyKey = id };
        ApplyAlone(write, Start);
        Assert.Equal(Start + Window, _machine.NextDeadlineMillis);
        Expire(Start + Window - 1);
        Assert.True(ApplyAlone(write, Start + (2 * Window)).IsReplay); // Late, but its record is there: no clock decides.
        Expire(0); // The stamps have passed it already.
        Assert.Equal((5_000UL, 0UL, 0UL), (_machine.Meta.DedupFloorMillis, _machine.Meta.DedupRecords, _machine.Meta.DedupBytes));
        Assert.Equal(new KvApplied(ErrorCode.IdempotencyWindowPassed, 0, 0, 0, 0, false, ShardEpoch.Initial), ApplyAlone(write));
        // So is any key as old, used before or not; a newer one is not.
        Assert.Same(ErrorCode.IdempotencyWindowPassed, ApplyAlone(Put("b", "1") with { IdempotencyKey = Entries.Uuid7(4_999, 7) }).Error);
        Assert.Null(ApplyAlone(Put("b", "1") with { IdempotencyKey = Entries.Uuid7(5_001) }).Error);
        Reopen(crash: false);
        Assert.Equal(5_000UL, _machine.Meta.DedupFloorMillis);
    }

    [Fact]
    public void The_floor_is_that_of_the_newest_expired_key_and_never_falls()
    {
        ApplyAlone(Put("a", "1") with { IdempotencyKey = Entries.Uuid7(9_000) }, Start);
        ApplyAlone(Put("b", "1") with { IdempotencyKey = Entries.Uuid7(8_000) }, Start + 1);
        Expire(Start + Window);
        Assert.Equal(9_000UL, _machine.Meta.DedupFloorMillis);
        Expire(Start + Window + 1);
        Assert.Equal((9_000UL, 0UL), (_machine.Meta.DedupFloorMillis, _machine.Meta.DedupRecords));
    }

    [Fact]
    public void A_record_within_the_window_answers_also_below_the_floor()
    {
        ApplyAlone(Put("a", "1") with { IdempotencyKey = Entries.Uuid7(9_000) }, Start);
        ApplyAlone(Put("b", "1") with { IdempotencyKey = Entries.Uuid7(8_000) }, Start + 1);
        Expire(Start + Window);
        Assert.True(ApplyAlone(Put("b", "1") with { IdempotencyKey = Entries.Uuid7(8_000) }).IsReplay);
    }

    [Fact]
    public void An_opaque_key_is_new_again_after_the_window()
    {
        ApplyAlone(Put("z", "1") with { IdempotencyKey = Entries.Uuid7(9_000) }, Start);
        ApplyAlone(Put("a", "1", "id"));
        Expire(Start + Window);
        KvApplied again = ApplyAlone(Put("a", "1", "id"));
        Assert.Equal((null, false, 3UL), (again.Error, again.IsReplay, again.Revision));
    }

    [Fact]
    public void A_full_shard_refuses_new_keyed_writes_only_until_records_expire()
    {
        Limit(Limits.Default with { MaxIdempotencyRecordsPerShard = 2 });
        ApplyAlone(Put("a", "1", "id-1"), Start);
        ApplyAlone(Put("a", "2", "id-2"), Start + 10);
        Assert.Equal(new KvApplied(ErrorCode.IdempotencyRecordsFull, 0, 0, 0, 0, false, ShardEpoch.Initial, Exceeded: new LimitExceeded(2, 2)), ApplyAlone(Put("a", "3", "id-3")));
        Assert.Equal((2UL, 2UL), (_machine.Meta.DedupRecords, _machine.Meta.Revision));
        Assert.True(ApplyAlone(Put("a", "1", "id-1")).IsReplay); // What is recorded is answered as ever.
        Assert.Null(ApplyAlone(Put("a", "4")).Error);
        Expire(Start + Window);
        Assert.False(ApplyAlone(Put("a", "3", "id-3")) is { Error: not null } or { IsReplay: true });
    }

    [Fact]
    public void The_size_of_the_records_is_limited_too()
    {
        ApplyAlone(Put("a", "1", "id-1"), Start);
        ulong size = _machine.Meta.DedupBytes;
        Assert.Equal(RecordBytes(), size);
        Limit(Limits.Default with { MaxIdempotencyBytesPerShard = (long)size });
        Assert.Equal((ErrorCode.IdempotencyRecordsFull, new LimitExceeded((long)size, (long)size)), ApplyAlone(Put("b", "1", "id-2")) is var refused ? (refused.Error, refused.Exceeded) : default);
        Expire(Start + Window);
        Assert.Equal(0UL, _machine.Meta.DedupBytes);
        Assert.Null(ApplyAlone(Put("b", "1", "id-2")).Error);
    }

    /// <summary>Which shard owns the key comes first: a record that stayed behind must not answer for another shard's state.</summary>
    [Fact]
    public void A_key_of_another_shard_is_refused_before_anything_and_leaves_no_record()
    {
        using SimStore store = new();
        byte[] key = Entries.Bytes("a");
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(KeyHash.Of(key) < 1UL << 63 ? new HashRange(1UL << 63, 0) : new HashRange(0, 1UL << 63)), Configuration.Empty);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default);
        machine.Begin();
        Assert.Same(ErrorCode.WrongShard, ((KvApplied)machine.Apply(Command(11, Put("a", "1", "id")), true)!).Error);
        machine.Commit();
        Assert.Equal(0UL, machine.Meta.DedupRecords);
    }

    private static Entry Command(ulong index, KvRequest request, ulong stamp = 0) => Entries.Command(index, request, stamp: stamp);

    private static KvRequest Put(string key, string value, string id = "") => new(KvOperation.Put, Entries.Bytes(key), Entries.Bytes(value), IdempotencyKey: Entries.Bytes(id));

    private ulong RecordBytes() => (ulong)Shard.RowsOf(_store).Where(row => row.Key[0] == RowLayout.DedupTag).Sum(row => row.Key.Length + row.Value.Length);

    private string[] RowsBesideMeta() => Shard.TextOf(_store)[1..];

    private KvApplied Apply(Entry entry) => (KvApplied)_machine.Apply(entry, true)!;

    private KvApplied ApplyAlone(KvRequest request, ulong stamp = 0)
    {
        _machine.Begin();
        KvApplied applied = Apply(Command(_machine.Applied.Next.Value, request, stamp));
        _machine.Commit();
        return applied;
    }

    private void Expire(ulong stamp)
    {
        _machine.Begin();
        Assert.Null(_machine.Apply(Entries.Expire(_machine.Applied.Next.Value, stamp), true));
        _machine.Commit();
    }

    private void Limit(Limits limits)
    {
        _machine.Dispose();
        _machine = new KvStateMachine(Shard.Id, _store, limits);
    }

    private void Reopen(bool crash)
    {
        _machine.Dispose();
        if (crash) _store.Crash();
        _machine = new KvStateMachine(Shard.Id, _store, Limits.Default);
    }
}
