using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

public sealed class GroupWorkerTests
{
    [Fact]
    public void A_write_goes_from_proposal_to_outcome_through_the_three_pumps()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Propose("p");
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
        Assert.Equal(
            [
                "p Appended 12", "send s1 r1>r2 Append t6 after 11/t6 commit 11 [12/t6]",
                "s1/r1 hard state t6 vote r1 commit 11", "s1/r1 entries 12..12", "commit",
                "s1 applied 12..12", "p applied at s1 12/t6: result of 12",
            ],
            leader.Trace.Take());
    }

    [Theory]
    [InlineData(100, 1)]
    [InlineData(350, 3)]
    [InlineData(1_000_000, 5)]
    public void No_more_is_on_its_way_to_a_follower_than_the_host_allows(int maxInFlightBytes, int sent)
    {
        HostFixture leader = HostFixture.Leading(options: HostFixture.Options with { MaxInFlightBytes = maxInFlightBytes });
        for (int i = 0; i < 5; i++)
        {
            leader.Propose($"p{i}", bytes: 100);
            leader.Settle();
        }

        Assert.Equal(sent, leader.Trace.Take().Count(what => what.StartsWith("send s1 r1>r2 Append", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_majority_elsewhere_commits_what_is_not_durable_here_but_does_not_apply_it()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        leader.Propose("p");
        leader.Step();
        leader.Trace.Take();
        leader.Arrive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12), Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 12));
        leader.Step();
        leader.Apply();
        Assert.Equal((12UL, 11UL), (leader.Group.Commit.Value, leader.Group.DurableIndex.Value));
        Assert.Empty(leader.Trace.Take());
        leader.Settle();
        Assert.Equal("p applied at s1 12/t6: result of 12", leader.Trace.Take()[^1]);
    }

    [Fact]
    public void A_proposal_whose_index_another_leader_took_is_superseded_when_that_is_committed()
    {
        HostFixture deposed = HostFixture.Leading();
        deposed.Propose("p");
        deposed.Propose("q");
        deposed.Settle();
        deposed.Receive(Some.Message(MessageKind.Append, 2, 1, 7, 11, 6, 11, Some.Entry(12, 7)));
        Assert.DoesNotContain("p superseded", deposed.Trace.Take());
        deposed.Receive(Some.Message(MessageKind.Append, 2, 1, 7, 12, 7, 12));
        Assert.Equal(["s1 applied 12..12", "p superseded"], deposed.Trace.Take().Where(what => !what.StartsWith("send", StringComparison.Ordinal)));
        deposed.Receive(Some.Message(MessageKind.Append, 2, 1, 7, 12, 7, 13, Some.Entry(13, 7))); // Only now is it proved of q.
        Assert.Contains("q superseded", deposed.Trace.Take());
    }

    [Fact]
    public void A_read_is_served_after_a_round_of_heartbeats_and_its_index()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Propose("p");
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
        leader.Trace.Take();
        leader.Read("r");
        leader.Settle();
        Assert.Equal(["send s1 r1>r2 Heartbeat t6 commit 12 round 2", "send s1 r1>r3 Heartbeat t6 commit 0 round 2"], leader.Trace.Take());
        leader.Receive(Some.Message(MessageKind.HeartbeatResponse, 3, 1, 6) with { ReadRound = 1 });
        Assert.DoesNotContain("r served by s1 at 12/t6", leader.Trace.Take());
        leader.Receive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6) with { ReadRound = 2 });
        Assert.Equal(["r served by s1 at 12/t6"], leader.Trace.Take());
    }

    [Fact]
    public void A_read_that_is_not_confirmed_when_leadership_is_lost_is_dropped()
    {
        HostFixture deposed = HostFixture.Leading();
        deposed.Read("r");
        deposed.Settle();
        deposed.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 7));
        Assert.Contains("r dropped", deposed.Trace.Take());
        deposed.Read("again");
        deposed.Settle();
        Assert.Equal(["send s1 r1>r2 ReadIndex t7"], deposed.Trace.Take());
    }

    [Fact]
    public void A_follower_far_behind_is_read_for_from_the_log()
    {
        HostFixture leader = new(Some.Recovered(1, 3, lastIndex: 14));
        leader.After(1_000_001);
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.PreVoteResponse, 2, 1, 6));
        leader.Receive(Some.Message(MessageKind.VoteResponse, 2, 1, 6));
        leader.Trace.Take();
        // The probe at 14 is rejected: the follower's log ends at 10.
        leader.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 14, logTerm: 5) with { Rejected = true, Hint = new LogIndex(10) });
        Assert.Equal(["s1 read 11..14", "send s1 r1>r2 Append t6 after 10/t5 commit 10 [11/t5..14/t5]"], leader.Trace.Take());
    }

    [Fact]
    public void A_proposal_for_a_group_that_is_not_led_here_is_refused_and_its_owner_hears_nothing()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        follower.Propose("p");
        follower.Propose("q", group: 99);
        follower.Read("r");
        follower.Settle();
        Assert.Equal(["p NotLeader", "q NotLeader", "r not taken"], follower.Trace.Take());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void While_PERSIST_or_APPLY_is_full_proposals_are_refused_and_appends_dropped_but_the_rest_goes_on(bool isPersist)
    {
        HostOptions options = HostFixture.Options with
        {
            MaxPersistQueueBytes = isPersist ? 1000 : long.MaxValue,
            MaxApplyQueueBytes = isPersist ? long.MaxValue : 1000,
        };
        HostFixture leader = HostFixture.Leading(3, options);
        leader.Propose("large", bytes: 1000);
        leader.Step();
        if (!isPersist)
        {
            leader.Persist();
            leader.Arrive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
            leader.Step(); // Committed, durable, on its way to APPLY.
        }

        leader.Propose("refused");
        leader.Step();
        Assert.Equal("refused Busy", leader.Trace.Take()[^1]);

        leader.Arrive(Some.Message(MessageKind.Append, 2, 1, 7, 12, 6, 11, Some.Entry(13, 7)));
        leader.Step();
        Assert.Equal((Role.Leader, new Term(6)), (leader.Group.Role, leader.Group.Term));
        leader.Arrive(Some.Message(MessageKind.Heartbeat, 2, 1, 7));
        leader.Step();
        Assert.Equal((Role.Follower, new Term(7)), (leader.Group.Role, leader.Group.Term));

        leader.Settle();
        leader.Receive(Some.Message(MessageKind.Append, 2, 1, 7, 12, 6, 12, Some.Entry(13, 7)));
        Assert.Equal(13UL, leader.Group.DurableIndex.Value);
    }

    [Fact]
    public void Frames_that_find_the_inbox_full_are_dropped_and_counted_and_completions_are_not()
    {
        HostFixture follower = new(HostFixture.Options with { MaxInboxItems = 2 }, Some.Recovered(1, 3));
        for (ulong index = 11; index <= 13; index++) follower.Arrive(Some.Message(MessageKind.Append, 2, 1, 5, index - 1, 5, 10, Some.Entry(index)));
        Assert.Equal(1, follower.Worker.DroppedFrames);
        Assert.False(follower.Worker.TryPost("refused", 1));
        follower.Worker.PostCompletion("completion");
        follower.Settle();
        Assert.Contains("posted completion", follower.Trace.Take());
        Assert.Equal(12UL, follower.Group.LastIndex.Value);
        Assert.True(follower.Worker.TryPost("taken", 1));
    }

    [Fact]
    public void The_inbox_is_bounded_in_bytes_too()
    {
        HostFixture host = new(HostFixture.Options with { MaxInboxBytes = 100 }, Some.Recovered(1, 3));
        host.Worker.OnFrame(Some.Node(2), FrameKind.Answer, new byte[100]);
        host.Worker.OnFrame(Some.Node(2), FrameKind.Answer, new byte[1]);
        Assert.Equal(1, host.Worker.DroppedFrames);
    }

    [Fact]
    public void Dropped_frames_are_counted_from_every_links_thread()
    {
        const int Threads = 4;
        const int Frames = 20_000;
        HostFixture host = new(HostFixture.Options with { MaxInboxItems = 1 }, Some.Recovered(1, 3));
        Assert.True(host.Worker.TryPost("fills it", 1));
        byte[] body = [1];
        Thread[] links = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < Frames; i++) host.Worker.OnFrame(Some.Node(2), FrameKind.Answer, body);
        }))];
        foreach (Thread link in links) link.Start();
        foreach (Thread link in links) link.Join();
        Assert.Equal(Threads * Frames, host.Worker.DroppedFrames);
    }

    [Fact]
    public void A_frame_that_does_not_parse_is_dropped_and_counted_and_nothing_else_happens()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        follower.Worker.OnFrame(Some.Node(2), FrameKind.RaftMessages, [1, 2, 3]);
        follower.Worker.OnFrame(Some.Node(2), (FrameKind)77, []);
        byte[] half = [.. Some.Body((1UL, Some.Message(MessageKind.Heartbeat, 2, 1, 6))), 1, 2, 3];
        follower.Worker.OnFrame(Some.Node(2), FrameKind.RaftMessages, half);
        follower.Settle();
        Assert.Equal(3, follower.Worker.DroppedFrames);
        Assert.Equal(new Term(6), follower.Group.Term); // What stood before the damage was a message like any other.
    }

    [Fact]
    public void Messages_for_another_replica_or_an_unknown_group_change_nothing()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        byte[] body = Some.Body(
            (99UL, Some.Message(MessageKind.Heartbeat, 2, 1, 9)),
            (1UL, Some.Message(MessageKind.Heartbeat, 2, 4, 9)),
            (1UL, Some.Message(MessageKind.Heartbeat, 2, 1, 6)));
        follower.Worker.OnFrame(Some.Node(2), FrameKind.RaftMessages, body);
        follower.Settle();
        Assert.Equal(new Term(6), follower.Group.Term);
        Assert.Equal(0, follower.Worker.DroppedFrames);
    }

    [Fact]
    public void Other_frames_are_the_fronts()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        host.Worker.OnFrame(Some.Node(2), FrameKind.Forward, new byte[5]);
        host.Worker.OnFrame(Some.Node(3), FrameKind.Answer, []);
        host.Settle();
        Assert.Equal(["frame Forward from 102: 5 bytes", "frame Answer from 103: 0 bytes"], host.Trace.Take());
    }

    [Fact]
    public void A_turn_without_work_before_the_next_tick_does_nothing()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        Assert.Equal(host.Now + HostFixture.Options.TickMicros, host.Worker.NextTickAt);
        Assert.False(host.Step());
        host.After(HostFixture.Options.TickMicros);
        Assert.True(host.Step());
        Assert.False(host.Step());
    }

    [Fact]
    public void The_messages_of_all_groups_of_a_turn_leave_in_one_frame_per_peer()
    {
        HostFixture host = new([.. Enumerable.Range(1, 8).Select(n => Some.Recovered((ulong)n, 3))]);
        host.After(1_000_001);
        host.Step();
        SentFrame[] sent = host.Links.Take();
        Assert.Equal([Some.Node(2), Some.Node(3)], sent.Select(frame => frame.To));
        Assert.All(sent, frame => Assert.Equal(8, frame.Raft().Count(message => message.Message.Kind == MessageKind.PreVote)));
    }

    [Fact]
    public void Stores_that_no_live_replica_owns_are_deleted_at_the_start()
    {
        HostFixture host = new(Some.Recovered(1, 3), Some.Recovered(2, 1));
        Assert.Equal([(new GroupId(1), 1UL), (new GroupId(2), 1UL)], host.Machines.Live);
        Assert.Equal(2, host.Host.Machines.Count());
        host.Host.Dispose();
        Assert.All(host.Machines.Opened.Values, machine => Assert.True(machine.IsDisposed));
    }

    /// <summary>Synced log was lost (design §7): the process stops, and leaves nothing open.</summary>
    [Fact]
    public void A_store_that_the_log_does_not_cover_stops_the_start()
    {
        Trace trace = new();
        FakeMachines machines = new(trace);
        machines.Applied[new GroupId(1)] = new LogIndex(13);
        RecoveredLog recovered = new(null, [Some.Recovered(1, 3, lastIndex: 12)]);
        Assert.Throws<InvariantViolatedException>(() => MultiRaftHost.Start(HostFixture.Options, recovered, new MemoryLog(trace), machines, new FakeLinks(trace), 0));
        Assert.True(machines.Opened.Values.Single().IsDisposed);
    }

    [Fact]
    public void What_the_store_has_not_applied_is_applied_again_from_the_log()
    {
        HostFixture host = new(Some.Recovered(1, 3, lastIndex: 13, commit: 12));
        Assert.Equal(["s1 read 11..12", "s1 applied 11..12"], host.Trace.Take());
        Assert.Equal(12UL, host.Group.Applied.Value);
    }
}
