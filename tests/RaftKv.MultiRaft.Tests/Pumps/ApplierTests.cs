using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

public sealed class ApplierTests : IDisposable
{
    private static readonly GroupId S1 = new(1);
    private readonly Trace _trace = new();
    private readonly MemoryLog _log;
    private readonly Applier _applier;
    private readonly GroupWorker _worker;
    private readonly FakeMachine _machine;
    private readonly HostedReplica _replica;

    public ApplierTests()
    {
        _log = new MemoryLog(_trace);
        FakeLinks links = new(_trace);
        SnapshotStreamer snapshots = new(HostFixture.Options, new FakeMachines(_trace), links);
        _applier = new Applier(_log, snapshots, HostFixture.Options);
        _worker = new GroupWorker(HostFixture.Options, new LogWriter(_log, links, HostFixture.Options), _applier, snapshots, _log, links);
        _applier.Connect(_worker);
        _machine = new FakeMachine(S1, Some.Birth, _trace);
        _replica = new HostedReplica(Some.Group(1, 3), _machine, Some.Recovered(1, 3).CommitPoint);
    }

    public void Dispose()
    {
        _log.Dispose();
        _machine.Dispose();
    }

    [Fact]
    public void Whoever_waits_for_an_entry_hears_of_it_only_after_the_batch_is_committed()
    {
        Add([Some.Entry(11), Some.Entry(12), Some.Entry(13)], Waits("a", 11), Waits("c", 13));
        Assert.True(_applier.RunOnce());
        Assert.Equal(["s1 applied 11..13", "a applied at s1 11/t5: result of 11", "c applied at s1 13/t5: result of 13"], _trace.Take());
        Assert.True(_worker.HasWork); // Applied(13).
        Assert.False(_applier.RunOnce());
    }

    [Fact]
    public void When_the_state_machine_fails_nobody_hears_anything_and_the_exception_comes_out()
    {
        StoreFailedException failure = new("IO error");
        _machine.BeforeCommit = () => throw failure;
        Add([Some.Entry(11)], Waits("a", 11));
        Assert.Same(failure, Assert.ThrowsAny<StoreFailedException>(() => _applier.RunOnce()));
        Assert.Empty(_trace.Take());
        Assert.False(_worker.HasWork);
    }

    [Fact]
    public void Whoever_waits_for_an_index_that_another_terms_entry_took_is_superseded()
    {
        Add([Some.Entry(11, 5), Some.Entry(12, 7)], Waits("a", 11), Waits("b", 12, term: 6));
        _applier.RunOnce();
        Assert.Equal(["s1 applied 11..12", "a applied at s1 11/t5: result of 11", "b superseded"], _trace.Take());
    }

    /// <summary>Led, deposed, led again: two proposals of two terms wait for one index, and one of them at most was applied.</summary>
    [Theory]
    [InlineData(6, "older applied at s1 11/t6: result of 11", "newer superseded")]
    [InlineData(8, "older superseded", "newer applied at s1 11/t8: result of 11")]
    [InlineData(7, "older superseded", "newer superseded")]
    public void Of_two_who_wait_for_one_index_the_one_of_the_entrys_term_has_it(ulong term, string older, string newer)
    {
        _replica.AddPending(Waits("older", 11, 6));
        _replica.AddPending(Waits("newer", 11, 8));
        Add([Some.Entry(11, term)], [.. _replica.TakePendingUpTo(new LogIndex(11))!]);
        _applier.RunOnce();
        string[] events = _trace.Take();
        Assert.Equal("s1 applied 11..11", events[0]);
        Assert.Equal(new[] { older, newer }.Order(), events[1..].Order());
    }

    [Fact]
    public void Those_who_wait_are_taken_in_the_order_of_their_index_up_to_the_one_asked_for()
    {
        foreach (var (index, term) in (ReadOnlySpan<(ulong, ulong)>)[(14, 6), (15, 6), (12, 7), (13, 7), (14, 7)]) _replica.AddPending(Waits("p", index, term));
        Assert.Null(_replica.TakePendingUpTo(new LogIndex(11)));
        Assert.Equal([12UL, 13UL], _replica.TakePendingUpTo(new LogIndex(13))!.Select(proposal => proposal.Index.Value));
        Assert.Equal([14UL, 14UL, 15UL], _replica.TakePendingUpTo(new LogIndex(99))!.Select(proposal => proposal.Index.Value));
        Assert.Null(_replica.TakePendingUpTo(new LogIndex(99)));
    }

    [Fact]
    public void Entries_that_are_not_in_memory_are_read_from_the_log_one_batch_for_each_piece()
    {
        Entry[] large = [.. Enumerable.Range(11, 5).Select(index => Some.Entry((ulong)index, payloadBytes: 2 * 1024 * 1024))];
        _log.Write(S1, large);
        _applier.Add(new ApplyEntries(_replica, new LogIndex(11), new LogIndex(15), default, [Waits("a", 12), Waits("b", 13, term: 9), Waits("c", 15)]), 0);
        _applier.RunOnce();
        Assert.Equal(
            [
                "s1 read 11..15", "s1 applied 11..11",
                "s1 read 12..15", "s1 applied 12..12", "a applied at s1 12/t5: result of 12",
                "s1 read 13..15", "s1 applied 13..13", "b superseded",
                "s1 read 14..15", "s1 applied 14..14",
                "s1 read 15..15", "s1 applied 15..15", "c applied at s1 15/t5: result of 15",
            ],
            _trace.Take());
    }

    [Fact]
    public void Entries_that_the_log_no_longer_holds_stop_the_process()
    {
        _applier.Add(new ApplyEntries(_replica, new LogIndex(11), new LogIndex(12), default, null), 0);
        Assert.Contains("no longer holds 11", Assert.Throws<InvariantViolatedException>(() => _applier.RunOnce()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Entries_that_do_not_follow_what_is_applied_stop_the_process()
    {
        Add([Some.Entry(12)]);
        Assert.Throws<InvariantViolatedException>(() => _applier.RunOnce());
        Assert.Empty(_trace.Take());
    }

    [Fact]
    public void A_read_waits_for_its_index_and_is_served_after_the_batch_that_reaches_it()
    {
        Serve("late", 13);
        Serve("now", 10);
        _applier.RunOnce();
        Assert.Equal(["now served by s1 at 10/t5"], _trace.Take());
        Add([Some.Entry(11), Some.Entry(12)]);
        _applier.RunOnce();
        Assert.Equal(["s1 applied 11..12"], _trace.Take());
        Add([Some.Entry(13), Some.Entry(14)], Waits("w", 14));
        _applier.RunOnce();
        Assert.Equal(["s1 applied 13..14", "w applied at s1 14/t5: result of 14", "late served by s1 at 14/t5"], _trace.Take());
        Add([Some.Entry(15)]);
        _applier.RunOnce();
        Assert.Equal(["s1 applied 15..15"], _trace.Take());
    }

    [Fact]
    public void A_read_queued_behind_entries_sees_them()
    {
        Add([Some.Entry(11)]);
        Serve("r", 11);
        _applier.RunOnce();
        Assert.Equal(["s1 applied 11..11", "r served by s1 at 11/t5"], _trace.Take());
    }

    [Fact]
    public void Groups_do_not_wait_for_each_other()
    {
        HostedReplica other = new(Some.Group(2, 3), new FakeMachine(new GroupId(2), Some.Birth, _trace), Some.Recovered(2, 3).CommitPoint);
        Serve("r", 11);
        _applier.Add(new ApplyEntries(other, new LogIndex(11), new LogIndex(11), EntryCopies.Of([Some.Entry(11)]), null), 1);
        _applier.RunOnce();
        Assert.Equal(["s2 applied 11..11"], _trace.Take());
    }

    /// <summary>Found by seed 4581: the tombstone had emptied the log under entries to be read back, and what was in memory behind them was applied next.</summary>
    [Fact]
    public void A_removed_replica_whose_log_is_gone_applies_nothing_behind_the_gap()
    {
        _replica.IsRemoved = true;
        _applier.Add(new ApplyEntries(_replica, new LogIndex(11), new LogIndex(12), default, null), 0); // From the log, which is empty.
        Add([Some.Entry(13), Some.Entry(14)]);
        _applier.RunOnce();
        Assert.Equal(Some.Birth, _replica.Machine.Applied);
    }

    [Fact]
    public void It_is_full_once_the_bytes_that_wait_reach_the_bound()
    {
        Applier applier = new(_log, new SnapshotStreamer(HostFixture.Options, new FakeMachines(_trace), new FakeLinks(_trace)), HostFixture.Options with { MaxApplyQueueBytes = 100 });
        applier.Add(new ApplyEntries(_replica, new LogIndex(11), new LogIndex(11), default, null), 99);
        Assert.False(applier.IsFull);
        applier.Add(new ApplyEntries(_replica, new LogIndex(12), new LogIndex(12), default, null), 1);
        Assert.True(applier.IsFull);
    }

    private static PendingProposal Waits(string name, ulong index, ulong term, Trace trace) => new(new LogIndex(index), new Term(term), new FakeOwner(name, trace));

    private PendingProposal Waits(string name, ulong index, ulong term = 5) => Waits(name, index, term, _trace);

    private void Add(Entry[] entries, params PendingProposal[] waiting) =>
        _applier.Add(new ApplyEntries(_replica, entries[0].Index, entries[^1].Index, EntryCopies.Of(entries), waiting.Length == 0 ? null : [.. waiting]), 1);

    private void Serve(string name, ulong index) => _applier.Add(new ServeRead(_replica, new GrantedRead(new LogIndex(index), new Term(5), new FakeReader(name, _trace))), 0);
}
