using System.Text;
using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>Rows wait for more before they go to the store, and nobody who reads can tell.</summary>
public sealed class HeldRowsTests : IDisposable
{
    private readonly SimStore _store = new();

    public void Dispose() => _store.Dispose();

    [Fact]
    public void What_is_held_is_read_and_the_store_has_not_got_it()
    {
        using KvStateMachine machine = Machine(versionCacheBytes: Limits.Mebi);
        Put(machine, 11, "k", "v");
        Assert.Equal("v", TextOf(machine.Get("k"u8)));
        Assert.Equal(new LogIndex(11), machine.Applied);
        Assert.Equal(new LogIndex(10), StoredApplied());
    }

    [Fact]
    public void So_it_is_when_the_key_is_not_among_the_newest_versions()
    {
        using KvStateMachine machine = Machine(versionCacheBytes: 0);
        Put(machine, 11, "k", "v");
        Assert.Equal("v", TextOf(machine.Get("k"u8)));
        Assert.Equal(new LogIndex(10), StoredApplied());
    }

    [Fact]
    public void A_read_of_the_past_and_a_list_have_it_written_first()
    {
        using KvStateMachine machine = Machine();
        Put(machine, 11, "k", "old");
        Put(machine, 12, "k", "new");
        Assert.Equal("old", TextOf(machine.Get("k"u8, revision: 1)));
        Assert.Equal(new LogIndex(12), StoredApplied());
        Put(machine, 13, "l", "x");
        Assert.Equal(2u, machine.List(new KvListRequest(HashRange.Full, default, default, 0, 10, 1_000, false, false))!.Count);
        Assert.Equal(new LogIndex(13), StoredApplied());
    }

    [Fact]
    public void Enough_of_them_are_written()
    {
        using KvStateMachine machine = Machine(heldBytes: 1_000);
        for (ulong index = 11; index < 40; index++) Put(machine, index, $"k{index}", "value");
        Assert.True(StoredApplied() > new LogIndex(20));
    }

    [Fact]
    public void A_flush_takes_along_what_is_held_entries_without_rows_too()
    {
        using KvStateMachine machine = Machine();
        Apply(machine, new Entry(new LogIndex(11), new Term(6), EntryKind.NoOp, 0, 0, 0, default));
        Assert.Equal(new LogIndex(10), StoredApplied());
        machine.Flush();
        Assert.Equal(new LogIndex(11), machine.FlushedApplied);
    }

    private KvStateMachine Machine(long versionCacheBytes = 0, int heldBytes = 64 * 1024)
    {
        KvStateMachine.InitialiseStore(_store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        return new KvStateMachine(Shard.Id, _store, Entries.Limits, versionCacheBytes, heldBytes);
    }

    private LogIndex StoredApplied() => ShardMeta.ReadFrom(_store, Shard.Id).Applied;

    private static void Put(KvStateMachine machine, ulong index, string key, string value) => Apply(machine, Entries.Put(index, key, value));

    private static void Apply(KvStateMachine machine, in Entry entry)
    {
        machine.Begin();
        machine.Apply(entry, false);
        machine.Commit();
    }

    private static string? TextOf(in KvRead read) => read.Value is { } value ? Encoding.UTF8.GetString(value) : null;
}
