using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>Durable before acknowledged: only PERSIST releases what must wait for the disk (design §3.5, §4).</summary>
public sealed class LogWriterTests
{
    [Fact]
    public void What_waits_for_the_disk_leaves_only_after_Commit_has_returned()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        follower.Arrive(Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 10, Some.Entry(11, 6)));
        follower.Step();
        Assert.Empty(follower.Links.Sent);
        follower.Log.BeforeCommit = () => Assert.Empty(follower.Links.Sent);
        follower.Persist();
        Assert.Equal(["s1/r1 hard state t6 vote - commit 10", "s1/r1 entries 11..11", "commit", "send s1 r1>r2 AppendResponse t6 match 11"], follower.Trace.Take());
    }

    [Fact]
    public void A_vote_leaves_only_after_Commit_has_returned()
    {
        HostFixture voter = new(Some.Recovered(1, 3));
        voter.Arrive(Some.Message(MessageKind.Vote, 2, 1, 6, 10, 5));
        voter.Step();
        voter.Persist();
        Assert.Equal(["s1/r1 hard state t6 vote r2 commit 10", "commit", "send s1 r1>r2 VoteResponse t6 granted"], voter.Trace.Take());
        Assert.Equal(new HardState(new Term(6), new ReplicaId(2), Some.Birth), voter.Log.DurableHardState);
    }

    [Fact]
    public void When_Commit_throws_nothing_is_released_nobody_is_told_and_the_exception_comes_out()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        follower.Arrive(Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 10, Some.Entry(11, 6)));
        follower.Step();
        DiskFailedException failure = new("fdatasync: EIO");
        follower.Log.BeforeCommit = () => throw failure;
        Assert.Same(failure, Assert.Throws<DiskFailedException>(() => follower.Host.LogWriter.RunOnce(follower.Now)));
        Assert.Empty(follower.Links.Sent);
        Assert.False(follower.Worker.HasWork);
        Assert.Equal(10UL, follower.Group.DurableIndex.Value);
    }

    [Fact]
    public void Many_groups_share_one_Commit()
    {
        RecoveredGroup[] groups = [.. Enumerable.Range(1, 20).Select(n => Some.Recovered((ulong)n, 1))];
        HostFixture host = new(groups);
        int before = host.Log.Commits;
        host.After(1_000_001);
        host.Step(); // All campaign in one turn.
        host.Persist();
        Assert.Equal(before + 1, host.Log.Commits);
        host.Step(); // All lead, and append their no-ops.
        host.Persist();
        Assert.Equal(before + 2, host.Log.Commits);
        host.Step();
        host.Apply();
        host.Step();
        Assert.All(host.Worker.Groups, group => Assert.Equal((Role.Leader, 11UL, 11UL), (group.Role, group.DurableIndex.Value, group.Applied.Value)));
    }

    /// <summary>Completions carry their Ready's number, and the core checks that they come in order (design §4).</summary>
    [Fact]
    public void What_queued_while_the_disk_was_busy_becomes_one_Commit_and_completes_in_order()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        for (ulong index = 11; index <= 15; index++)
        {
            follower.Arrive(Some.Message(MessageKind.Append, 2, 1, 6, index - 1, index == 11 ? 5UL : 6UL, 10, Some.Entry(index, 6)));
            follower.Step();
        }

        Assert.Equal(10UL, follower.Group.DurableIndex.Value);
        int before = follower.Log.Commits;
        follower.Persist();
        Assert.Equal(before + 1, follower.Log.Commits);
        Assert.Equal(10UL, follower.Group.DurableIndex.Value);
        follower.Step();
        Assert.Equal(15UL, follower.Group.DurableIndex.Value);
        Assert.Equal([11UL, 12UL, 13UL, 14UL, 15UL], follower.Links.Take().SelectMany(frame => frame.Raft()).Select(sent => sent.Message.Index.Value));
    }

    [Fact]
    public void Entries_that_were_replaced_before_they_were_written_are_not_passed_off_as_durable()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        follower.Arrive(Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 10, Some.Entry(11, 6), Some.Entry(12, 6), Some.Entry(13, 6)));
        follower.Step();
        follower.Arrive(Some.Message(MessageKind.Append, 3, 1, 7, 10, 5, 10, Some.Entry(11, 7)));
        follower.Step();
        follower.Settle();
        Assert.Equal((11UL, 11UL), (follower.Group.LastIndex.Value, follower.Group.DurableIndex.Value));
        Assert.Equal(new Term(7), Assert.Single(follower.Log.Read(new GroupId(1), new LogIndex(11), new LogIndex(99), int.MaxValue)).Term);
    }

    [Fact]
    public void An_answer_with_nothing_to_write_needs_no_Commit()
    {
        HostFixture follower = new(Some.Recovered(1, 3, lastIndex: 12));
        follower.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 6));
        follower.Trace.Take();
        follower.Receive(Some.Message(MessageKind.Append, 2, 1, 6, 12, 5, 10));
        Assert.Equal(["send s1 r1>r2 AppendResponse t6 match 12"], follower.Trace.Take());
    }

    [Fact]
    public void Such_an_answer_still_waits_for_what_was_added_before_it()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        Message append = Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 10, Some.Entry(11, 6));
        follower.Arrive(append);
        follower.Step();
        follower.Arrive(append);
        follower.Step();
        Assert.Empty(follower.Links.Sent);
        follower.Persist();
        Assert.Equal("send s1 r1>r2 AppendResponse t6 match 11, s1 r1>r2 AppendResponse t6 match 11", follower.Trace.Take()[^1]);
    }

    [Fact]
    public void Without_work_nothing_is_committed()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        int before = host.Log.Commits;
        Assert.False(host.Host.LogWriter.RunOnce(host.Now));
        Assert.Equal(before, host.Log.Commits);
    }

    [Fact]
    public void A_leaders_appends_leave_while_its_own_write_is_in_flight()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Propose("p");
        leader.Step();
        Assert.Equal(["p Appended 12", "send s1 r1>r2 Append t6 after 11/t6 commit 11 [12/t6]"], leader.Trace.Take());
        leader.Persist();
        Assert.Equal(["s1/r1 hard state t6 vote r1 commit 11", "s1/r1 entries 12..12", "commit"], leader.Trace.Take());
    }
}
