namespace RaftKv.Raft.Tests.Spec;

/// <summary>Thesis §10.2 (pipelining, batching) and what keeps replication going when messages are lost. bugs.md L8, L15, L18.</summary>
public sealed class ReplicationFlowTests
{
    private const int EntrySize = Entry.OverheadBytes + 1;

    [Fact]
    public void A_proposal_is_appended_by_the_leader_alone()
    {
        Replica replica = Replica.Alone();
        Assert.Equal(ProposeStatus.NotLeader, replica.Propose("x").Status);
        Assert.Equal(new ProposeResult(ProposeStatus.Appended, new LogIndex(2), new Term(1)), Replica.Leading().Propose("x"));
    }

    [Fact]
    public void A_leader_probes_with_one_message_until_it_is_answered_and_pipelines_after()
    {
        Replica leader = Replica.Leading();
        leader.Propose("x");
        Assert.DoesNotContain(leader.TakeSent(), message => message.Kind == MessageKind.Append);
        Message[] afterAck = leader.Answer(Some.Ack(2, 1, 1, 1));
        Assert.Equal("r1>r2 Append t1 after 1/t1 commit 1 [2/t1]", Assert.Single(afterAck).ToString());
        leader.Propose("y");
        leader.Propose("z");
        Assert.Equal(["[3/t1]", "[4/t1]"], leader.TakeSent().Select(message => RaftText.DescribeEntries(message.Entries.Span)));
    }

    // §10.2.2: batching. What gathers in one turn leaves in one message, up to its limit.
    [Fact]
    public void Entries_of_one_turn_leave_in_messages_of_at_most_the_append_limit()
    {
        Replica leader = Pipelining(options => options with { MaxAppendBytes = 2 * EntrySize });
        for (int i = 0; i < 5; i++) leader.ProposeSilently("x");
        leader.Pump();
        Assert.Equal(["[2/t1..3/t1]", "[4/t1..5/t1]", "[6/t1]"], AppendsTo(leader, 2));
    }

    [Fact]
    public void An_entry_larger_than_the_append_limit_is_sent_alone()
    {
        Replica leader = Pipelining(options => options with { MaxAppendBytes = 1 });
        for (int i = 0; i < 2; i++) leader.ProposeSilently("x");
        leader.Pump();
        Assert.Equal(["[2/t1]", "[3/t1]"], AppendsTo(leader, 2));
    }

    // What lies behind the last entry in memory (entries truncated or released before) must not leak into a message.
    [Fact]
    public void An_entry_larger_than_the_append_limit_is_sent_alone_at_the_end_of_the_log_too()
    {
        Replica leader = Replica.Leading(3, null, options => options with { MaxAppendBytes = 10_000, MaxApplyBytes = 10_000 });
        foreach (string payload in new[] { "a", new string('b', 20_000), "c", "d", new string('e', 30_000) }) leader.ProposeSilently(payload);
        leader.Receive(Some.Ack(2, 1, 1, 1));
        Assert.Equal(["[2/t1]", "[3/t1]", "[4/t1..5/t1]", "[6/t1]"], AppendsTo(leader, 2));
        leader.Receive(Some.Ack(2, 1, 1, 6));
        Assert.Equal(Enumerable.Range(1, 6), leader.StateMachine.Select(entry => (int)entry.Index.Value));
    }

    [Fact]
    public void No_more_messages_are_in_flight_than_the_window_has_room_for()
    {
        Replica leader = Pipelining(options => options with { MaxInFlightMessages = 3 });
        for (int i = 0; i < 6; i++) leader.Propose("x");
        Assert.Equal(3, AppendsTo(leader, 2).Length);
        leader.Receive(Some.Ack(2, 1, 1, 2));
        Assert.Equal(["[5/t1..7/t1]"], AppendsTo(leader, 2)); // One slot, and all that waits in one message.
    }

    [Fact]
    public void No_more_bytes_are_in_flight_than_the_window_has_room_for()
    {
        Replica leader = Pipelining(options => options with { MaxInFlightBytes = 2 * EntrySize, MaxAppendBytes = 1 });
        for (int i = 0; i < 6; i++) leader.Propose("x");
        Assert.Equal(2, AppendsTo(leader, 2).Length);
        leader.Receive(Some.Ack(2, 1, 1, 3)); // Two at once: the first one's answer was lost.
        Assert.Equal(["[4/t1]", "[5/t1]"], AppendsTo(leader, 2));
    }

    // L15: no counter leaks, whatever the order of answers.
    [Fact]
    public void The_window_is_empty_when_everything_is_acknowledged()
    {
        RaftOptions options = new() { Group = default, Replica = new ReplicaId(1), Seed = 1, MaxInFlightMessages = 4, MaxInFlightBytes = 1000 };
        for (ulong seed = 1; seed <= 200; seed++)
        {
            SplitMix random = new(seed);
            Progress progress = new(new ReplicaId(2), new LogIndex(5), 0);
            ulong last = 4;
            ulong[] acks = new ulong[32];
            for (int i = 0; i < 500; i++)
            {
                last += (ulong)random.Below(2);
                if (progress.Next.Value <= last && progress.MaySend(options))
                    progress.OnSent(new LogIndex(progress.Next.Value + (ulong)random.Below((long)(last - progress.Next.Value) + 1)), (int)random.Below(400), i);
                ulong at = (ulong)random.Below((long)progress.Next.Value);
                switch (random.Below(4))
                {
                    case 0: progress.TryAdvance(new LogIndex(at)); break;
                    case 1: progress.TryBackTrack(new LogIndex(at), new LogIndex((ulong)random.Below((long)at + 1))); break;
                    case 2: progress.AllowProbe(i, 3); break;
                    default: acks[random.Below(32)] = at; break;
                }

                Assert.True(progress.Match < progress.Next);
                Assert.True(progress.InFlightMessages <= options.MaxInFlightMessages);
                Assert.True(progress.State == ProgressState.Replicate || progress.InFlightMessages == 0);
            }

            progress.TryAdvance(new LogIndex(last));
            Assert.Equal(0, progress.InFlightMessages);
            Assert.Equal(0, progress.InFlightBytes);
            Assert.True(progress.MaySend(options));
        }
    }

    // A lost append is found by the next heartbeat's answer: the follower is asked at the end of what was sent.
    [Fact]
    public void A_lost_append_is_found_by_the_next_heartbeat_and_sent_again()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster[1].Propose("y");
        Assert.Equal(2, cluster.Drop(message => message.Kind == MessageKind.Append && message.To == cluster[2].Id).Length);
        cluster.Deliver();
        Assert.Equal(1UL, cluster[2].Last);
        cluster.Heartbeat(1);
        Assert.Equal(3UL, cluster[2].Last);
        Assert.Equal(3UL, cluster[2].Commit);
    }

    [Fact]
    public void A_lost_probe_is_sent_again_after_the_next_heartbeat()
    {
        Cluster cluster = new(3);
        cluster[1].TimeOut();
        cluster.Deliver(message => message.Kind != MessageKind.Append);
        Assert.NotEmpty(cluster.Drop(message => message.Kind == MessageKind.Append));
        cluster.Deliver();
        Assert.Equal(0UL, cluster[2].Last);
        cluster.Heartbeat(1);
        Assert.Equal(1UL, cluster[2].Last);
        Assert.Equal(1UL, cluster[1].Commit);
    }

    [Fact]
    public void A_lost_acknowledgement_is_asked_for_again_after_the_next_heartbeat()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Deliver(message => message.Kind == MessageKind.Append);
        Assert.Equal(2, cluster.Drop(message => message.Kind == MessageKind.AppendResponse).Length);
        cluster.Deliver();
        Assert.Equal(1UL, cluster[1].Commit);
        cluster.Heartbeat(1);
        Assert.Equal(2UL, cluster[1].Commit);
    }

    [Fact]
    public void A_whole_window_lost_is_sent_again()
    {
        Cluster cluster = new(3, null, options => options with { MaxInFlightMessages = 4 });
        cluster.Elect(1);
        for (int i = 0; i < 20; i++) cluster[1].Propose("x");
        cluster.Drop(message => message.Kind == MessageKind.Append);
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal(21UL, replica.Last));
    }

    // §10.2.2: "if messages are reordered, the follower rejects, and the leader retries".
    [Fact]
    public void Appends_out_of_order_cost_a_retry_and_nothing_else()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster[1].Propose("y");
        cluster.Collect();
        cluster.InFlight.Reverse();
        cluster.Deliver();
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal(3UL, replica.Commit));
    }

    [Fact]
    public void Stale_rejections_change_nothing()
    {
        Replica leader = Pipelining();
        leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 1, 2));
        Assert.Empty(leader.Answer(Some.Reject(2, 1, 1, 1, 0, 0)));
        Assert.Empty(leader.Answer(Some.Reject(2, 1, 1, 2, 0, 0)));
        leader.Propose("y");
        Assert.Equal(["[3/t1]"], AppendsTo(leader, 2));
    }

    // Design §6, "uncommitted-bytes limit".
    [Fact]
    public void Proposals_beyond_the_uncommitted_limit_are_refused_until_the_commit_index_moves()
    {
        Replica leader = Pipelining(options => options with { MaxUncommittedBytes = 3 * EntrySize });
        for (int i = 0; i < 3; i++) Assert.Equal(ProposeStatus.Appended, leader.Propose("x").Status);
        Assert.Equal(ProposeStatus.Busy, leader.Propose("x").Status);
        Assert.Equal(4UL, leader.Last);
        leader.Receive(Some.Ack(2, 1, 1, 3));
        Assert.Equal(ProposeStatus.Appended, leader.Propose("x").Status);
        Assert.Equal(ProposeStatus.Appended, leader.Propose("x").Status);
        Assert.Equal(ProposeStatus.Busy, leader.Propose("x").Status);
    }

    // Liveness: "busy" means later, so a proposal that is larger than the limit must have its turn when nothing else waits.
    [Fact]
    public void A_proposal_larger_than_the_uncommitted_limit_is_taken_when_nothing_waits()
    {
        Replica leader = Pipelining(options => options with { MaxUncommittedBytes = 1000 });
        Assert.Equal(ProposeStatus.Appended, leader.Propose(new string('x', 1001)).Status);
        Assert.Equal(ProposeStatus.Busy, leader.Propose(new string('x', 1001)).Status);
        leader.Receive(Some.Ack(2, 1, 1, 2));
        Assert.Equal(ProposeStatus.Appended, leader.Propose(new string('x', 1001)).Status);
    }

    // L15: nothing is left of it after the term.
    [Fact]
    public void Uncommitted_bytes_do_not_survive_a_truncation()
    {
        Replica replica = Pipelining(options => options with { MaxUncommittedBytes = 3 * EntrySize });
        while (replica.Propose("x").Status == ProposeStatus.Appended) { }
        replica.Receive(Some.Append(2, 1, 2, 1, 1, 1, 2));
        Assert.Equal(2UL, replica.Last);
        replica.Campaign();
        replica.Receive(Some.VoteResponse(2, 1, replica.Term));
        Assert.Equal(Role.Leader, replica.Group.Role);
        replica.Receive(Some.Ack(2, 1, replica.Term, 3));
        Assert.Equal(3UL, replica.Commit);
        for (int i = 0; i < 3; i++) Assert.Equal(ProposeStatus.Appended, replica.Propose("x").Status);
    }

    // Design §6: "old entries are asked for (Ready.LogReads), never read from inside".
    [Fact]
    public void Entries_evicted_from_memory_are_asked_for_and_then_sent()
    {
        Replica leader = WithLaggard();
        LogReadRequest request = Assert.Single(leader.LogReads);
        Assert.Equal((3UL, 2UL, 6UL), (request.For.Value, request.First.Value, request.Last.Value));
        leader.TakeSent();
        leader.AnswerLogRead();
        Assert.Equal("r1>r3 Append t1 after 1/t1 commit 6 [2/t1..6/t1]", Assert.Single(leader.TakeSent()).ToString());
        leader.Receive(Some.Ack(3, 1, 1, 6));
        Assert.Empty(leader.LogReads);
    }

    [Fact]
    public void Nothing_is_sent_to_a_follower_and_nothing_asked_twice_while_its_log_read_is_out()
    {
        Replica leader = WithLaggard();
        leader.TakeSent();
        leader.Propose("y");
        leader.Receive(Some.Ack(2, 1, 1, 7));
        Assert.Empty(AppendsTo(leader, 3));
        Assert.Single(leader.LogReads);
    }

    [Fact]
    public void A_log_read_answered_short_is_followed_by_the_next()
    {
        Replica leader = WithLaggard();
        leader.TakeSent();
        LogReadRequest request = leader.LogReads[0];
        leader.LogReads.Clear();
        leader.AnswerLogRead(request, leader.Disk.Read(request.First, request.First));
        Assert.Equal(["[2/t1]"], AppendsTo(leader, 3));
        leader.Receive(Some.Ack(3, 1, 1, 2));
        Assert.Equal(3UL, Assert.Single(leader.LogReads).First.Value);
    }

    // A read may fail, or the log may have been compacted meanwhile: the follower is not forgotten.
    [Fact]
    public void A_log_read_answered_with_nothing_is_asked_again()
    {
        Replica leader = WithLaggard();
        LogReadRequest request = leader.LogReads[0];
        leader.LogReads.Clear();
        leader.AnswerLogRead(request, []);
        Assert.Equal(request, Assert.Single(leader.LogReads));
    }

    [Fact]
    public void A_stale_answer_to_a_log_read_is_dropped()
    {
        Replica leader = WithLaggard();
        LogReadRequest request = leader.LogReads[0];
        Entry[] entries = leader.Disk.Read(request.First, request.Last);
        leader.TakeSent();

        // The follower turned out to have more: the answer no longer fits where it stands.
        leader.Receive(Some.Ack(3, 1, 1, 4));
        leader.LogReads.Clear();
        leader.AnswerLogRead(request, entries);
        Assert.Empty(AppendsTo(leader, 3));
        Assert.Equal(5UL, Assert.Single(leader.LogReads).First.Value);

        // Twice: nobody waits for it any more.
        leader.AnswerLogRead(leader.LogReads[0], entries[3..]);
        leader.TakeSent();
        leader.AnswerLogRead(leader.LogReads[0], entries[3..]);
        Assert.Empty(leader.TakeSent());
    }

    [Fact]
    public void An_answer_to_a_log_read_of_an_earlier_term_is_dropped()
    {
        Replica leader = WithLaggard();
        LogReadRequest request = leader.LogReads[0];
        Entry[] entries = leader.Disk.Read(request.First, request.Last);
        leader.Receive(Some.Heartbeat(2, 1, 2));
        leader.TakeSent();
        leader.AnswerLogRead(request, entries);
        Assert.Empty(leader.TakeSent());

        leader.Campaign();
        leader.Receive(Some.VoteResponse(2, 1, leader.Term));
        Assert.Equal(Role.Leader, leader.Group.Role);
        leader.TakeSent();
        leader.AnswerLogRead(request, entries);
        Assert.Empty(AppendsTo(leader, 3));
    }

    [Fact]
    public void A_log_read_with_other_entries_than_the_log_holds_stops_the_process()
    {
        Replica leader = WithLaggard();
        LogReadRequest request = leader.LogReads[0];
        Assert.Throws<InvariantViolatedException>(() => leader.AnswerLogRead(request, Some.Entries(2, 1, 9)));
    }


    // L14: what is released is on disk, and what is not on disk is in memory.
    [Fact]
    public void A_follower_behind_catches_up_through_log_reads_whatever_the_cache_holds()
    {
        foreach (int cached in new[] { 0, 3 * EntrySize, int.MaxValue })
        {
            Cluster cluster = new(3, null, options => options with { MaxCachedBytes = cached, MaxAppendBytes = 5 * EntrySize, MaxInFlightMessages = 2 });
            cluster.Elect(1);
            cluster.Isolate(3);
            for (int i = 0; i < 200; i++)
            {
                cluster[1].Propose($"{i}");
                cluster.Deliver();
            }

            cluster.Heal();
            cluster.Heartbeat(1);
            cluster.Heartbeat(1);
            Assert.Equal(cluster[1].StateMachine, cluster[3].StateMachine, (left, right) => left.Payload.Span.SequenceEqual(right.Payload.Span));
            Assert.Equal(201, cluster[3].StateMachine.Count);
        }
    }

    [Fact]
    public void A_leader_stepped_down_keeps_what_it_was_sent_and_replicates_it_when_elected_again()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Drop();
        cluster[1].TickAfter(500);
        Assert.Equal(Role.Follower, cluster[1].Group.Role);
        cluster.Elect(1);
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal("1 1 2", replica.LogTerms));
        Assert.All(cluster.Replicas, replica => Assert.Equal(3UL, replica.Commit));
    }

    /// <summary>A leader of term 1 that pipelines to r2 and r3; its no-op, entry 1, is committed.</summary>
    private static Replica Pipelining(Func<RaftOptions, RaftOptions>? configure = null)
    {
        Replica leader = Replica.Leading(3, null, configure);
        leader.Receive(Some.Ack(2, 1, 1, 1));
        leader.Receive(Some.Ack(3, 1, 1, 1));
        leader.TakeSent();
        return leader;
    }

    /// <summary>A leader that keeps nothing in memory; entries 2 … 6 are applied, and r3, in doubt about its log, needs them from the disk.</summary>
    private static Replica WithLaggard()
    {
        Replica leader = Pipelining(options => options with { MaxCachedBytes = 0 });
        leader.HoldsLogReads = true;
        for (int i = 0; i < 5; i++) leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 1, 6));
        Assert.Equal(6UL, leader.Group.Applied.Value);
        leader.Receive(Some.Reject(3, 1, 1, 5, 1, 1));
        return leader;
    }

    private static string[] AppendsTo(Replica leader, ulong follower) =>
        [.. leader.TakeSent().Where(message => message.Kind == MessageKind.Append && message.To.Value == follower).Select(message => RaftText.DescribeEntries(message.Entries.Span))];
}
