using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>The promises of design §9 and §8 on one key, one by one.</summary>
public sealed class KvStateMachineTests : IDisposable
{
    private readonly SimStore _store = new();
    private readonly KvStateMachine _machine;

    public KvStateMachineTests()
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
    public void Alone_a_shard_counts_revisions_1_2_3_and_only_for_what_changed_something()
    {
        Assert.Equal(1UL, Put("a").Revision);
        Assert.Equal(2UL, Put("b").Revision);
        Assert.Equal(ErrorCode.PreconditionFailed, Put("a", KvCondition.Absent).Error);
        Assert.Equal(2UL, Delete("c").Revision); // Nothing there: nothing changed.
        Assert.Equal(3UL, Put("a").Revision);
    }

    [Fact]
    public void A_keys_revision_grows_over_delete_and_re_creation_and_its_version_starts_anew()
    {
        Assert.Equal(Result(1, 0, created: 1, version: 1, existed: false), Put("a"));
        Assert.Equal(Result(2, 1, created: 1, version: 2, existed: true), Put("a"));
        Assert.Equal(Result(3, 2, created: 0, version: 0, existed: true), Delete("a"));
        Assert.Equal(Result(3, 0, created: 0, version: 0, existed: false), Delete("a"));
        Assert.Equal(Result(4, 0, created: 4, version: 1, existed: false), Put("a"));
        Assert.Equal(Result(5, 4, created: 4, version: 2, existed: true), Put("a", KvCondition.RevisionIs, 4));
    }

    [Fact]
    public void A_refused_condition_tells_the_keys_current_state_and_changes_nothing()
    {
        Put("a");
        Put("a");
        string[] rows = RowsBesideMeta();
        Assert.Equal(Result(2, 0, 1, 2, true) with { Error = ErrorCode.PreconditionFailed }, Put("a", KvCondition.Absent));
        Assert.Equal(Result(2, 0, 1, 2, true) with { Error = ErrorCode.PreconditionFailed }, Put("a", KvCondition.RevisionIs, 1));
        Assert.Equal(Result(2, 0, 1, 2, true) with { Error = ErrorCode.PreconditionFailed }, Delete("a", KvCondition.RevisionIs, 3));
        Assert.Equal(Result(0, 0, 0, 0, false) with { Error = ErrorCode.PreconditionFailed }, Put("b", KvCondition.RevisionIs, 1));
        Assert.Equal(rows, RowsBesideMeta());
    }

    /// <summary>The revision of a delete is no ETag that a client ever got for a value.</summary>
    [Fact]
    public void A_deleted_key_matches_no_revision_but_is_absent()
    {
        Put("a");
        Delete("a");
        Assert.Equal(ErrorCode.PreconditionFailed, Put("a", KvCondition.RevisionIs, 1).Error);
        Assert.Equal(ErrorCode.PreconditionFailed, Put("a", KvCondition.RevisionIs, 2).Error);
        Assert.Null(Put("a", KvCondition.Absent).Error);
    }

    [Fact]
    public void Writes_of_one_batch_see_each_other()
    {
        _machine.Begin();
        Assert.Equal(1UL, Apply(Entries.Put(11, "a", "1")).Revision);
        Assert.Equal(Result(2, 1, 1, 2, true), Apply(Entries.Put(12, "a", "2", KvCondition.RevisionIs, 1)));
        Assert.Equal(ErrorCode.PreconditionFailed, Apply(Entries.Put(13, "a", "3", KvCondition.Absent)).Error);
        Assert.Equal(3UL, Apply(Entries.Delete(14, "a", KvCondition.RevisionIs, 2)).Revision);
        Assert.Equal(Result(4, 0, 4, 1, false), Apply(Entries.Put(15, "a", "", KvCondition.Absent)));
        _machine.Commit();
        KvRead read = _machine.Get("a"u8);
        Assert.Equal((4UL, 4UL, 1UL), (read.Revision, read.Created, read.Version));
        Assert.Empty(read.Value!); // An empty value is a value.
    }

    [Fact]
    public void Nothing_is_in_the_store_before_Commit()
    {
        string[] before = Shard.TextOf(_store);
        _machine.Begin();
        Apply(Entries.Put(11, "a", "1"));
        Assert.Equal(before, Shard.TextOf(_store));
        _machine.Commit();
        Assert.Equal(before.Length + 2, Shard.TextOf(_store).Length);
    }

    [Fact]
    public void A_revision_floor_lifts_the_revision_and_the_ones_after_it()
    {
        Assert.Equal(1UL, Put("a").Revision);
        Assert.Equal(100UL, ApplyAlone(Entries.Command(Next, new KvRequest(KvOperation.Put, Entries.Bytes("a")), floor: 100)).Revision);
        Assert.Equal(101UL, ApplyAlone(Entries.Command(Next, new KvRequest(KvOperation.Put, Entries.Bytes("a")), floor: 50)).Revision);
        Assert.Equal(101UL, ApplyAlone(Entries.Command(Next, new KvRequest(KvOperation.Delete, Entries.Bytes("b")), floor: 200)).Revision);
        Assert.Equal(102UL, Put("b").Revision);
    }

    [Fact]
    public void A_key_of_another_shard_is_refused_at_apply_and_only_the_index_moves()
    {
        using SimStore store = new();
        byte[] key = Entries.Bytes("a");
        HashRange range = KeyHash.Of(key) < 1UL << 63 ? new HashRange(1UL << 63, 0) : new HashRange(0, 1UL << 63);
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(range), Configuration.Empty);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default);
        machine.Begin();
        KvApplied applied = (KvApplied)machine.Apply(Entries.Put(11, "a", "1"), true)!;
        machine.Commit();
        Assert.Equal(new KvApplied(ErrorCode.WrongShard, 0, 0, 0, 0, false, ShardEpoch.Initial), applied);
        Assert.Equal((11UL, 0UL), (machine.Applied.Value, machine.Meta.Revision));
        Assert.Equal(2, Shard.RowsOf(store).Count); // Its meta row and its members.
        KvRead read = machine.Get(key);
        Assert.False(read.IsInRange);
        Assert.Null(read.Value);
    }

    [Fact]
    public void What_is_no_command_moves_only_what_is_applied()
    {
        Put("a");
        string[] rows = RowsBesideMeta();
        ulong revision = _machine.Meta.Revision;
        _machine.Begin();
        Assert.Null(_machine.Apply(new Entry(new LogIndex(Next), new Term(9), EntryKind.NoOp, 0, 77, 500, new byte[] { 1, 2 }), true));
        _machine.Commit();
        Assert.Equal((12UL, 9UL, revision, 77UL), (_machine.Applied.Value, _machine.Meta.AppliedTerm.Value, _machine.Meta.Revision, _machine.Meta.ShardTimeMillis));
        Assert.Equal(rows, RowsBesideMeta());
    }

    [Fact]
    public void A_configuration_is_kept_with_the_state_and_counts_as_a_change_of_members()
    {
        Configuration members = Configuration.OfVoters(new Member(new ReplicaId(1), new NodeId(7)), new Member(new ReplicaId(2), new NodeId(8)));
        ShardEpoch before = _machine.Meta.Epoch;
        _machine.Begin();
        Assert.Null(_machine.Apply(new Entry(new LogIndex(Next), new Term(9), EntryKind.Configuration, 0, 0, 0, members.ToBytes()), true));
        _machine.Commit();
        using KvStateMachine again = new(Shard.Id, _store, Limits.Default);
        Assert.Equal((members, members), (_machine.Configuration, again.Configuration));
        Assert.Equal(before with { ConfVersion = before.ConfVersion + 1 }, again.Meta.Epoch);
        Assert.All((KvStateMachine[])[_machine, again], machine => Assert.Equal(new AppliedMembers(again.Meta.Epoch, members), machine.Members));
    }

    [Fact]
    public void Shard_time_never_goes_back()
    {
        foreach (var (stamp, expected) in new (ulong, ulong)[] { (5, 5), (0, 5), (4, 5), (9, 9) })
        {
            ApplyAlone(Entries.Command(Next, new KvRequest(KvOperation.Put, Entries.Bytes("a")), stamp: stamp));
            Assert.Equal(expected, _machine.Meta.ShardTimeMillis);
        }
    }

    /// <summary>Committed entries that cannot be understood: a guess would make replicas differ, so the process stops.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("01")]
    [InlineData("02010000 0000000000000000 0000000000000000 00000000 0100000061 00000000")]
    [InlineData("01030000 0000000000000000 0000000000000000 00000000 0100000061 00000000")]
    [InlineData("01010300 0000000000000000 0000000000000000 00000000 0100000061 00000000")]
    [InlineData("01010000 0000000000000000 0000000000000000 00000000 00000000 00000000")]
    [InlineData("01040000 0000000000000000 0000000000000000 00000000 0100000061 00000000")]
    [InlineData("01010000 0000000000000000 0000000000000000 00000000 0100000061 00000000 00")]
    [InlineData("01040000 0000000000000000 0000000000000000 00000000 00000000 00000000")]
    [InlineData("01040000 0000000000000000 0000000000000000 00000000 00000000 0c000000 0000000000000000 00000000")]
    public void A_malformed_payload_stops_the_replica(string hex)
    {
        byte[] payload = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        string[] before = Shard.TextOf(_store);
        _machine.Begin();
        Assert.Throws<MalformedException>(() => _machine.Apply(new Entry(new LogIndex(11), new Term(6), EntryKind.Command, 0, 0, 0, payload), true));
        Assert.Equal(before, Shard.TextOf(_store));
    }

    [Fact]
    public void A_read_in_the_log_is_impossible_and_stops_the_replica()
    {
        _machine.Begin();
        Assert.Throws<InvariantViolatedException>(() => _machine.Apply(Entries.Command(11, new KvRequest(KvOperation.Get, Entries.Bytes("a"))), true));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(12)]
    public void An_entry_that_does_not_follow_stops_the_replica(ulong index)
    {
        _machine.Begin();
        Assert.Throws<InvariantViolatedException>(() => _machine.Apply(Entries.Put(index, "a", "1"), true));
    }

    [Fact]
    public void A_key_that_begins_like_another_is_another()
    {
        foreach (byte[] key in Entries.Keys) ApplyAlone(Entries.Command(Next, new KvRequest(KvOperation.Put, key, key)));
        foreach (byte[] key in Entries.Keys) Assert.Equal(key, _machine.Get(key).Value);
        Assert.Null(_machine.Get([0x61, 0x00, 0x00]).Value);
    }

    private ulong Next => _machine.Applied.Next.Value;

    private static KvApplied Result(ulong revision, ulong previous, ulong created, ulong version, bool existed) => new(null, revision, previous, created, version, existed, ShardEpoch.Initial);

    /// <summary>Nor beside the history, which time alone moves.</summary>
    private string[] RowsBesideMeta() => [.. Shard.TextOf(_store)[1..].Where(row => !row.StartsWith("03=", StringComparison.Ordinal))];

    private KvApplied Put(string key, KvCondition condition = KvCondition.None, ulong revision = 0) => ApplyAlone(Entries.Put(Next, key, "v", condition, revision));

    private KvApplied Delete(string key, KvCondition condition = KvCondition.None, ulong revision = 0) => ApplyAlone(Entries.Delete(Next, key, condition, revision));

    private KvApplied Apply(Entry entry) => (KvApplied)_machine.Apply(entry, true)!;

    private KvApplied ApplyAlone(Entry entry)
    {
        _machine.Begin();
        KvApplied applied = Apply(entry);
        _machine.Commit();
        return applied;
    }
}
