using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>The check of a store: silent on whatever the state machine makes, and not on anything else.</summary>
public sealed class ShardCheckTests : IDisposable
{
    private const ulong Start = 1_000_000;
    private readonly SimStore _store = new();
    private ulong _next = 11;

    public ShardCheckTests()
    {
        KvStateMachine.InitialiseStore(_store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        using KvStateMachine machine = new(Shard.Id, _store, Limits.Default);
        machine.Begin();
        Apply(machine, new KvRequest(KvOperation.Put, "a"u8.ToArray(), "1"u8.ToArray()));
        Apply(machine, new KvRequest(KvOperation.Put, "b"u8.ToArray(), "2"u8.ToArray(), TtlMillis: 500));
        Apply(machine, new KvRequest(KvOperation.Put, "c"u8.ToArray(), "3"u8.ToArray(), IdempotencyKey: "once"u8.ToArray()));
        machine.Commit();
    }

    public void Dispose() => _store.Dispose();

    [Fact]
    public void Whatever_the_state_machine_makes_is_clean()
    {
        for (int seed = 1; seed <= 60; seed++)
        {
            Random random = new(seed);
            using SimStore store = new();
            KvStateMachine.InitialiseStore(store, Shard.BirthMeta(Entries.Half), Configuration.Empty);
            using KvStateMachine machine = new(Shard.Id, store, Entries.Limits);
            foreach (Entry[] batch in Entries.Batches(random, Entries.Random(random, 150)))
            {
                machine.Begin();
                foreach (Entry entry in batch) machine.Apply(entry, wantsResult: false);
                machine.Commit();
            }

            List<StoreProblem> problems = [];
            Assert.True(ShardCheck.Run(store, Log(last: 160), problems.Add) > 2);
            Assert.True(problems.Count == 0, $"seed {seed}: {string.Join("; ", problems.Select(problem => problem.What))}");
        }
    }

    [Fact]
    public void The_rows_of_this_store_are_clean() => Assert.Empty(Check(Log(13)));

    [Theory]
    [InlineData("ff", "", "a row of no kind")]
    [InlineData("03", "", "a history row that does not parse")]
    [InlineData("03", "0200", "a history row that does not parse: format 2")]
    [InlineData("03", "010100", "a history row that does not parse")]
    [InlineData("03", "0101" + "0000000000000000" + "0900000000000000" + "0000000000000000", "a history row whose mark of revision 9 is ahead of the shard")]
    [InlineData("03", "0102" + "0100000000000000" + "0200000000000000" + "0000000000000000" + "0100000000000000" + "0200000000000000" + "0000000000000000", "a history row whose mark of revision 2 does not lie behind the one before")]
    [InlineData("10610001fffffffffffffffd", "00010000000000000001000000000000000000000000000000", "revision 2 without its change")]
    [InlineData("10610001fffffffffffffffd", "00010000000000000001000000000000000900000000000000", "revision 2 is to expire at 9, but has no ttl deadline")]
    [InlineData("10", "", "a version whose key does not parse")]
    [InlineData("1061000100", "", "a version whose key does not parse")]
    [InlineData("10610001fffffffffffffffe", "00", "a version whose value does not parse")]
    [InlineData("10610001ffffffffffffff00", "00010000000000000001000000000000000000000000000000", "revision 255, the shard's newest is 3")]
    [InlineData("20000000000000000100", "61", "a change whose key does not parse")]
    [InlineData("20000000000000000900000000", "61", "a change of revision 9, the shard's newest is 3")]
    [InlineData("20000000000000000200000000", "7a", "a change of revision 2 without its version")]
    [InlineData("20000000000000000100000000000000000000000002", "61", "a change whose key does not parse")]
    [InlineData("20000000000000000100000000000000000000000001", "61", "a change of revision 1 that says it is a delete, its version says otherwise")]
    [InlineData("20000000000000000100000000000000000000000100", "61", "a change of revision 1 without revision 1, which it superseded")]
    [InlineData("3061000102", "", "an idempotency record whose key does not parse")]
    [InlineData("306100010178000000ff", "00", "an idempotency record that does not parse")]
    [InlineData("31000000000000000161000101780000000000", "", "an idempotency deadline without its record")]
    [InlineData("3200000000000000", "", "a ttl deadline whose key does not parse")]
    [InlineData("320000000000000001000000000000000161", "", "a ttl deadline at 1, its version says 0")]
    [InlineData("32000000000000000100000000000000017a", "", "a ttl deadline without its version 1")]
    public void A_row_that_is_not_as_it_must_be_is_named_by_its_key(string key, string value, string complaint)
    {
        byte[] row = Convert.FromHexString(key);
        WriteBatch batch = new();
        batch.Put(row, Convert.FromHexString(value));
        _store.Write(batch);
        Assert.Contains(Check(Log(13)), problem => problem.Key is { } named && named.AsSpan().SequenceEqual(row) && problem.What.StartsWith(complaint, StringComparison.Ordinal));
    }

    [Fact]
    public void A_key_of_another_shard_is_named()
    {
        ulong hash = KeyHash.Of("a"u8);
        Rewrite(meta => meta with { Range = new HashRange(hash + 1, 0) });
        Assert.Contains(Check(Log(13)), problem => problem.What.Contains("is outside of the shard's range", StringComparison.Ordinal));
    }

    [Fact]
    public void A_record_that_vanished_is_noticed()
    {
        WriteBatch batch = new();
        using (IOrderedCursor cursor = _store.OpenCursor())
        {
            cursor.Seek([RowLayout.DedupTag]);
            batch.Delete(cursor.Key);
        }

        _store.Write(batch);
        string[] complaints = [.. Check(Log(13)).Select(problem => problem.What)];
        Assert.Contains("an idempotency deadline without its record", complaints);
        Assert.Contains(complaints, what => what.StartsWith("it holds 0 idempotency records", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(RowLayout.TtlDeadlineTag, "revision 2 is to expire at 1000500, but has no ttl deadline")]
    [InlineData(RowLayout.ChangeTag, "revision 1 without its change")]
    public void A_version_whose_row_vanished_is_named(byte tag, string complaint)
    {
        WriteBatch batch = new();
        using (IOrderedCursor cursor = _store.OpenCursor())
        {
            cursor.Seek([tag]);
            batch.Delete(cursor.Key);
        }

        _store.Write(batch);
        StoreProblem problem = Assert.Single(Check(Log(13)));
        Assert.Equal((RowLayout.VersionTag, complaint), (problem.Key![0], problem.What));
    }

    [Theory]
    [InlineData(12, 5, "it has applied 13, the raft log ends at 12: synced log was lost")]
    [InlineData(13, 7, "it has applied 13/t6, the raft log holds 13/t7")]
    public void A_store_that_the_log_contradicts_is_noticed(ulong last, ulong term, string complaint) =>
        Assert.Contains(Check(Log(last, term)), problem => problem.Key is null && problem.What == complaint);

    [Fact]
    public void A_store_older_than_where_the_log_begins_is_noticed()
    {
        RecoveredGroup cut = Log(20) with { TermRuns = [(new LogIndex(16), new Term(6))] };
        cut = cut with { CommitPoint = cut.CommitPoint with { Index = new LogIndex(15), Term = new Term(6) } };
        Assert.Contains(Check(cut), problem => problem.What == "it has applied 13, the raft log begins behind 15: it is not the one the log knows");
    }

    [Theory]
    [InlineData(5, 13, "the raft log's hard state is of t5, its last entry of t6: synced log was lost")]
    [InlineData(6, 14, "the raft log's hard state has committed 14, the log ends at 13: synced log was lost")]
    public void A_hard_state_that_the_entries_contradict_is_noticed(ulong term, ulong commit, string complaint) =>
        Assert.Contains(Check(Log(13) with { HardState = new HardState(new Term(term), default, new LogIndex(commit)) }), problem => problem.What == complaint);

    private void Apply(KvStateMachine machine, KvRequest request) => machine.Apply(Entries.Command(_next++, request, stamp: Start), wantsResult: false);

    private void Rewrite(Func<ShardMeta, ShardMeta> change)
    {
        ByteWriter value = new();
        change(ShardMeta.ReadFrom(_store, Shard.Id)).Write(value);
        WriteBatch batch = new();
        batch.Put(RowLayout.MetaKey, value.Written);
        _store.Write(batch);
    }

    private List<StoreProblem> Check(RecoveredGroup log)
    {
        List<StoreProblem> problems = [];
        ShardCheck.Run(_store, log, problems.Add);
        return problems;
    }

    /// <summary>What the raft log says: entries 11 to <paramref name="last"/>, all of one term.</summary>
    internal static RecoveredGroup Log(ulong last, ulong term = 6) => new(
        Shard.Id, new CommitPoint(new ReplicaId(1), 1, ShardMeta.BirthIndex, ShardMeta.BirthTerm, Configuration.Empty, 1, 1), new HardState(new Term(term), default, ShardMeta.BirthIndex),
        [(new LogIndex(11), new Term(term))], new LogIndex(last));
}
