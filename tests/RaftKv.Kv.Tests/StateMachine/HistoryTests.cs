using System.Text;
using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>Which versions of keys are kept, and what reads of the past are told (design §7): by entries and their stamps alone.</summary>
public sealed class HistoryTests : IDisposable
{
    private const ulong Start = 1_000_000;
    private static readonly Limits Small = Limits.Default with { HistoryMillis = 16_000, HistoryRevisions = 3, MaxHistoryBytes = 16_000 };
    private readonly SimStore _store = new();
    private readonly KvStateMachine _machine;
    private ulong _index = 10;

    public HistoryTests()
    {
        KvStateMachine.InitialiseStore(_store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        _machine = new KvStateMachine(Shard.Id, _store, Small);
    }

    public void Dispose()
    {
        _machine.Dispose();
        _store.Dispose();
    }

    [Fact]
    public void What_was_superseded_long_ago_and_many_revisions_ago_goes_and_reads_below_are_refused()
    {
        Put("a", "1", Start);
        Put("a", "2", Start);
        Put("b", "3", Start + 1_000);
        for (int i = 0; i < 3; i++) Put("c", "x", Start + 2_000);
        Assert.Equal(Start + 16_000, _machine.NextCompactionMillis);
        Expire(Start + 18_000);
        Assert.Equal((3UL, 3UL), (_machine.Meta.CompactRevision, _machine.Meta.SweptRevision));
        Assert.Null(_machine.Get("a"u8, revision: 2).Value);
        Assert.Equal((2UL, 3UL), (_machine.Get("a"u8, revision: 2).CompactRevision - 1, _machine.Get("a"u8, revision: 2).CompactRevision));
        Assert.Equal("2", TextOf(_machine.Get("a"u8, revision: 3)));
        Assert.Equal("2", TextOf(_machine.Get("a"u8)));
        Assert.Equal("3", TextOf(_machine.Get("b"u8)));
        Assert.Equal(["a@2", "b@3", "c@6", "c@5", "c@4"], Versions());
    }

    [Fact]
    public void Neither_time_nor_revisions_alone_are_enough()
    {
        Put("a", "1", Start);
        Put("a", "2", Start);
        Put("a", "3", Start + 100);
        Expire(Start + 100_000);
        Assert.Equal(0UL, _machine.Meta.CompactRevision); // Only two revisions later.
        Assert.Null(_machine.NextCompactionMillis);
        for (int i = 0; i < 9; i++) Put("b", "x", Start + 100_000);
        Expire(Start + 100_100);
        Assert.Equal(1UL, _machine.Meta.CompactRevision); // The others are not old.
    }

    // As GET /v1/kv fetches a value that was too large to come with the list.
    [Fact]
    public void A_live_version_from_before_what_is_kept_is_found_in_the_state_that_a_list_shows()
    {
        Put("a", "old and large", Start);
        Put("b", "1", Start);
        Put("b", "2", Start);
        for (int i = 0; i < 4; i++) Put("c", "x", Start + 1_000);
        Expire(Start + 18_000);
        Assert.Equal("a@1", Versions()[0]);
        Assert.True(_machine.Get("a"u8, revision: 1).CompactRevision > 1); // Refused.
        Assert.Equal("old and large", TextOf(_machine.Get("a"u8, _machine.Meta.Revision)));
    }

    [Fact]
    public void A_delete_goes_with_what_it_deleted()
    {
        Put("a", "1", Start);
        Delete("a", Start);
        for (int i = 0; i < 4; i++) Put("b", "x", Start + 1_000);
        Expire(Start + 17_000);
        Assert.DoesNotContain(Versions(), version => version.StartsWith('a'));
        Assert.Null(_machine.Get("a"u8).Value);
        Put("a", "again", Start + 17_000);
        Assert.Equal((7UL, 7UL, 1UL), (_machine.Get("a"u8).Revision, _machine.Get("a"u8).Created, _machine.Get("a"u8).Version)); // Its revisions grow on.
    }

    [Fact]
    public void Too_many_bytes_go_before_their_time()
    {
        for (int i = 0; i < 40; i++) Put("a", new string('x', 999), Start + (ulong)i);
        Assert.Equal(Start + 39, _machine.NextCompactionMillis); // At once.
        Expire(Start + 40);
        Assert.InRange(_machine.Meta.Revision - _machine.Meta.CompactRevision, 1UL, 16UL);
        Assert.InRange(Versions().Count, 14, 17);
    }

    [Fact]
    public void Rows_are_swept_in_steps_whole_revisions_at_a_time_and_reads_are_refused_at_once()
    {
        for (int i = 0; i < 3_000; i++) Put($"k{i % 500}", "v", Start);
        Put("last", "v", Start + 1_000);
        for (int i = 0; i < 4; i++) Put("last", "v", Start + 2_000);
        Expire(Start + 17_000);
        Assert.Equal((3_001UL, 1_000UL), (_machine.Meta.CompactRevision, _machine.Meta.SweptRevision));
        Assert.Equal(_machine.TimeMillis, _machine.NextCompactionMillis); // More is to be done.
        Assert.Equal(3_001UL, _machine.Get("k1"u8, revision: 3_000).CompactRevision);
        Expire(Start + 17_000);
        Expire(Start + 17_000);
        Assert.Equal(2_999UL + 1, _machine.Meta.SweptRevision);
        Expire(Start + 17_000);
        Assert.Equal(3_001UL, _machine.Meta.SweptRevision);
        Assert.Equal(500 + 5, Versions().Count);
    }

    [Fact]
    public void What_is_remembered_survives_a_restart()
    {
        Put("a", "1", Start);
        Put("a", "2", Start + 2_000);
        for (int i = 0; i < 4; i++) Put("b", "x", Start + 4_000);
        _machine.Flush();
        using KvStateMachine again = new(Shard.Id, _store, Small);
        Assert.Equal((_machine.Meta, _machine.NextCompactionMillis), (again.Meta, again.NextCompactionMillis));
    }

    [Fact]
    public void Marks_stay_few_however_long_nothing_may_go()
    {
        Limits patient = Small with { HistoryRevisions = int.MaxValue };
        using SimStore store = new();
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        using KvStateMachine machine = new(Shard.Id, store, patient);
        for (ulong i = 0; i < 5_000; i++) Apply(machine, Entries.Command(11 + i, new KvRequest(KvOperation.Put, "a"u8.ToArray(), "v"u8.ToArray()), stamp: Start + (i * 1_000)));
        Assert.InRange(store.Get(RowLayout.HistoryKey)!.Length, 1, 2 + (64 * 24));
    }

    [Fact]
    public void A_swept_store_passes_every_check()
    {
        for (int i = 0; i < 50; i++) Put($"k{i % 7}", "v", Start);
        for (int i = 0; i < 3; i++) Delete($"k{i}", Start);
        for (int i = 0; i < 6; i++) Put("z", "v", Start + 1_000);
        Expire(Start + 17_000);
        Assert.Equal(54UL, _machine.Meta.SweptRevision);
        _machine.Flush();
        List<StoreProblem> problems = [];
        ShardCheck.Run(_store, ShardCheckTests.Log(_index), problems.Add);
        Assert.Empty(problems);
    }

    private void Put(string key, string value, ulong stamp) => Apply(_machine, Entries.Command(++_index, new KvRequest(KvOperation.Put, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value)), stamp: stamp));

    private void Delete(string key, ulong stamp) => Apply(_machine, Entries.Command(++_index, new KvRequest(KvOperation.Delete, Encoding.UTF8.GetBytes(key)), stamp: stamp));

    private void Expire(ulong stamp) => Apply(_machine, Entries.Expire(++_index, stamp));

    private static void Apply(KvStateMachine machine, in Entry entry)
    {
        machine.Begin();
        machine.Apply(entry, false);
        machine.Commit();
    }

    /// <summary>The version rows, as "key@revision".</summary>
    private List<string> Versions()
    {
        _machine.Flush();
        List<string> versions = [];
        foreach (var (key, _) in Shard.RowsOf(_store))
        {
            if (key[0] != RowLayout.VersionTag) continue;
            MultiRaft.Wire.ByteWriter user = new();
            RowLayout.WriteKeyOf(user, key);
            versions.Add($"{Encoding.UTF8.GetString(user.Written)}@{RowLayout.RevisionOf(key, RowLayout.PrefixOf(key))}");
        }

        return versions;
    }

    private static string? TextOf(in KvRead read) => read.Value is { } value ? Encoding.UTF8.GetString(value) : null;
}
