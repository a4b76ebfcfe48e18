namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper §5.3: the consistency check, conflicts, truncation, back-tracking.</summary>
public sealed class LogMatchingTests
{
    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1, 1, true)]
    [InlineData(3, 2, true)]
    [InlineData(3, 1, false)]
    [InlineData(3, 3, false)]
    [InlineData(4, 2, false)]
    [InlineData(4, 3, false)]
    public void An_append_is_accepted_only_if_the_log_has_the_entry_before_it(ulong previous, ulong previousTerm, bool accepted)
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 1, 1, 2));
        Message answer = Assert.Single(follower.Answer(Some.Append(2, 1, 5, previous, previousTerm, 0)));
        Assert.Equal(accepted, !answer.Rejected);
        Assert.Equal(previous, answer.Index.Value);
        Assert.Equal("1 1 2", follower.LogTerms);
    }

    [Fact]
    public void Entries_that_conflict_are_replaced_with_all_that_follow()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 1, 1, 2, 2, 2));
        Message answer = Assert.Single(follower.Answer(Some.Append(2, 1, 5, 1, 1, 0, 1, 3)));
        Assert.Equal("1 1 3", follower.LogTerms);
        Assert.Equal("1 1 3", string.Join(' ', follower.Disk.Entries.Select(entry => entry.Term.Value)));
        Assert.Equal(3UL, answer.Index.Value);
    }

    // L7: "if an existing entry conflicts" – and only then.
    [Fact]
    public void A_redelivered_append_never_truncates_what_matches()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        Message first = Some.Append(2, 1, 5, 0, 0, 0, 5, 5);
        follower.Receive(first);
        follower.Receive(Some.Append(2, 1, 5, 2, 5, 0, 5, 5));
        Message answer = Assert.Single(follower.Answer(first));
        Assert.Equal("5 5 5 5", follower.LogTerms);
        Assert.Equal(2UL, answer.Index.Value); // It vouches for what this message has shown to match, and for no more.
    }

    // Every cut of a log, delivered again in any order after the log is complete, changes nothing.
    [Fact]
    public void No_order_of_redelivered_appends_shortens_the_log()
    {
        SplitMix random = new(1);
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 2, 2, 3, 5, 5, 5));
        ulong[] terms = [0, 2, 2, 3, 5, 5, 5];
        for (int i = 0; i < 500; i++)
        {
            int previous = (int)random.Below(7);
            int end = previous + (int)random.Below(7 - previous);
            Message again = Some.Append(2, 1, 5, (ulong)previous, terms[previous], (ulong)random.Below(4), terms.AsSpan((previous + 1)..(end + 1)));
            ulong matching = (ulong)previous < follower.Commit ? follower.Commit : (ulong)end;
            Assert.Equal(matching, Assert.Single(follower.Answer(again)).Index.Value);
            Assert.Equal("2 2 3 5 5 5", follower.LogTerms);
        }
    }

    // Entries at and below the commit index are known to match, and may be gone from the log: no term can be compared.
    [Fact]
    public void An_append_that_starts_below_the_commit_index_is_answered_with_the_commit_index()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 3, 1, 1, 2, 2));
        Message answer = Assert.Single(follower.Answer(Some.Append(2, 1, 5, 1, 1, 4, 1, 2, 2)));
        Assert.Equal("r1>r2 AppendResponse t5 match 3", answer.ToString());
        Assert.Equal(3UL, follower.Commit);
        Assert.Equal("1 1 2 2", follower.LogTerms);
    }

    [Fact]
    public void A_follower_whose_log_begins_at_a_snapshot_answers_appends_from_before_it()
    {
        Disk disk = new() { SnapshotIndex = new LogIndex(10), SnapshotTerm = new Term(5), HardState = new HardState(new Term(6), default, default), Applied = new LogIndex(10) };
        Replica follower = Replica.Alone(3, disk);
        Assert.Equal("r1>r2 AppendResponse t6 match 10", Assert.Single(follower.Answer(Some.Append(2, 1, 6, 4, 3, 8, 5, 5))).ToString());
        Assert.Equal("r1>r2 AppendResponse t6 match 11", Assert.Single(follower.Answer(Some.Append(2, 1, 6, 10, 5, 8, 6))).ToString());
        Assert.Equal("r1>r2 AppendResponse t6 rejected 13 hint 11/t6", Assert.Single(follower.Answer(Some.Append(2, 1, 6, 13, 6, 8, 6))).ToString());
    }

    // Design §8: a group is born at index 10, term 5.
    [Fact]
    public void A_group_that_begins_at_a_snapshot_elects_and_commits()
    {
        Cluster cluster = new(3, _ => new Disk { SnapshotIndex = new LogIndex(10), SnapshotTerm = new Term(5), HardState = new HardState(new Term(5), default, new LogIndex(10)), Applied = new LogIndex(10) });
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Deliver();
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal(12UL, replica.Commit));
        Assert.All(cluster.Replicas, replica => Assert.Equal(2, replica.StateMachine.Count));
    }

    // §5.3, last paragraphs: the rejection says where the logs may agree.
    [Theory]
    [InlineData(9, 7, 5, 4)] // Beyond the end: the last entry.
    [InlineData(5, 3, 3, 2)] // Term 4 cannot be in a log whose entry 5 is of term 3: skip the run.
    [InlineData(5, 1, 1, 1)]
    [InlineData(5, 9, 5, 4)]
    public void A_rejection_hints_at_the_last_entry_whose_term_the_leader_may_have(ulong previous, ulong previousTerm, ulong hint, ulong hintTerm)
    {
        Replica follower = Replica.Alone(3, Disk.Of(9, 0, 0, 1, 2, 2, 4, 4));
        Message answer = Assert.Single(follower.Answer(Some.Append(2, 1, 9, previous, previousTerm, 0)));
        Assert.True(answer.Rejected);
        Assert.Equal((previous, hint, hintTerm), (answer.Index.Value, answer.Hint.Value, answer.LogTerm.Value));
    }

    // L8: rounds go with the number of terms that differ, never with the number of entries.
    [Theory]
    [InlineData(1, 10_000)]
    [InlineData(20, 500)]
    [InlineData(100, 100)]
    public void A_long_divergent_log_converges_in_rounds_by_terms(int runs, int runLength)
    {
        // The two logs share one entry; after it they alternate in terms, the worst case.
        ulong[] leaderTerms = [1, .. Enumerable.Range(1, runs).SelectMany(run => Enumerable.Repeat((ulong)run * 2 + 1, runLength))];
        ulong[] followerTerms = [1, .. Enumerable.Range(1, runs).SelectMany(run => Enumerable.Repeat((ulong)run * 2, runLength))];
        Cluster cluster = new(3, id => Disk.Of((ulong)runs * 2 + 1, 0, 0, id == 3 ? followerTerms : leaderTerms));
        cluster[1].TimeOut();
        cluster.Deliver(message => message.Kind is not (MessageKind.Append or MessageKind.AppendResponse));
        int rejections = 0;
        cluster.OnDeliver = message => rejections += message is { Kind: MessageKind.AppendResponse, Rejected: true } ? 1 : 0;
        cluster.Deliver();
        Assert.Equal(cluster[1].LogTerms, cluster[3].LogTerms);
        Assert.InRange(rejections, 1, runs + 2);
    }

    // Paper figure 7: all six ways a follower's log may differ.
    [Theory]
    [InlineData("1 1 1 4 4 5 5 6 6")]
    [InlineData("1 1 1 4")]
    [InlineData("1 1 1 4 4 5 5 6 6 6 6")]
    [InlineData("1 1 1 4 4 5 5 6 6 6 7 7")]
    [InlineData("1 1 1 4 4 4 4")]
    [InlineData("1 1 1 2 2 2 3 3 3 3 3")]
    public void Every_follower_of_figure_7_ends_up_with_the_leaders_log(string followerLog)
    {
        ulong[] leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
        ulong[] followerTerms = [.. followerLog.Split(' ').Select(ulong.Parse)];
        Cluster cluster = new(3, id => Disk.Of(7, 0, 0, id == 3 ? followerTerms : leaderTerms));
        cluster.Elect(1);
        Assert.Equal("1 1 1 4 4 5 5 6 6 6 8", cluster[1].LogTerms);
        Assert.Equal(cluster[1].LogTerms, cluster[3].LogTerms);
        Assert.Equal(cluster[1].Disk.Entries.Select(entry => entry.Payload.ToArray()), cluster[3].Disk.Entries.Select(entry => entry.Payload.ToArray()));
    }

    // Any two logs that keep the log matching property: the follower always converges.
    [Fact]
    public void Random_divergent_logs_converge()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            SplitMix random = new(seed);
            ulong[] shared = RandomTerms(random, (int)random.Below(6), 1);
            ulong from = shared.Length == 0 ? 1 : shared[^1];
            // Even terms on one side, odd ones on the other: no term has two leaders.
            ulong[] leaderTerms = [.. shared, .. RandomTerms(random, (int)random.Below(30), from).Select(term => term * 2 + 1)];
            ulong[] followerTerms = [.. shared, .. RandomTerms(random, (int)random.Below(30), from).Select(term => term * 2)];
            Cluster cluster = new(3, id => Disk.Of(1000, 0, 0, id == 3 ? followerTerms : leaderTerms), options => options with { MaxAppendBytes = 200 });
            cluster.Isolate(3);
            cluster.Elect(1);
            cluster.Heal();
            for (int beat = 0; beat < 3; beat++) cluster.Heartbeat(1);
            Assert.Equal(cluster[1].LogTerms, cluster[3].LogTerms);
            Assert.Equal(cluster[1].Commit, cluster[3].Commit);
        }

        static ulong[] RandomTerms(SplitMix random, int count, ulong from)
        {
            ulong[] terms = new ulong[count];
            for (int i = 0; i < count; i++) terms[i] = from += (ulong)random.Below(3) / 2;
            return terms;
        }
    }

    // §5.4.3: what is committed stays.
    [Fact]
    public void Nothing_at_or_below_the_commit_index_is_ever_replaced()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 2, 1, 1, 2));
        follower.Receive(Some.Append(2, 1, 5, 2, 1, 0, 3)); // Entry 3 is not committed.
        Assert.Equal("1 1 3", follower.LogTerms);
        follower.Receive(Some.Append(2, 1, 5, 3, 3, 3));
        Assert.Equal(3UL, follower.Commit);
        follower.Receive(Some.Append(2, 1, 6, 2, 1, 0, 4));
        Assert.Equal("1 1 3", follower.LogTerms);
    }
}
