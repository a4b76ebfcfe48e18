using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>A group's replicated time: what a leader stamps, and when it lets deadlines pass (design §9).</summary>
public sealed class GroupClockTests
{
    private const long Second = 1_000_000;
    private readonly HostFixture _host = new(Some.Recovered(1, 3));

    [Fact]
    public void Nobody_stamps_but_a_leader_that_applied_an_entry_of_its_term()
    {
        GroupClock clock = New(5_000, null);
        Assert.Equal(0UL, Stamp(clock));
        Elect(6);
        Assert.Equal((Role.Leader, 0UL), (_host.Group.Role, Stamp(clock)));
        Acknowledge(6, 11);
        Assert.Equal(5_000UL, Stamp(clock));
        Depose(7);
        Assert.Equal(0UL, Stamp(clock));
    }

    /// <summary>Entries are always on their way from stamp to apply: were the count taken from them each time, it would stand still.</summary>
    [Fact]
    public void It_goes_on_with_the_monotonic_clock_whatever_is_applied_meanwhile()
    {
        GroupClock clock = Leading(5_000);
        for (ulong i = 1; i <= 100; i++)
        {
            _host.After(7_500);
            Assert.Equal(5_000 + (75 * i / 10), Stamp(clock));
            clock.OnApplied(new GroupTimes(5_000 + i, null, null)); // Of an entry stamped a while ago.
        }
    }

    [Fact]
    public void A_clock_that_stands_still_or_less_than_a_millisecond_adds_nothing()
    {
        GroupClock clock = Leading(5_000);
        Assert.Equal(5_000UL, Stamp(clock));
        _host.After(999);
        Assert.Equal(5_000UL, Stamp(clock));
        _host.After(1);
        Assert.Equal(5_001UL, Stamp(clock));
    }

    [Fact]
    public void A_new_leadership_continues_from_what_is_applied_then_and_never_ahead_of_it()
    {
        GroupClock clock = Leading(5_000);
        _host.After(60 * Second);
        Assert.Equal(65_000UL, Stamp(clock)); // Never applied: nobody saw it.
        Depose(7);
        clock.OnApplied(new GroupTimes(9_000, null, null)); // What the other leader wrote.
        _host.After(3_600 * Second);
        Elect(8);
        clock.OnApplied(new GroupTimes(9_500, null, null)); // The rest of the other leader's entries, before the no-op.
        Assert.Equal(0UL, Stamp(clock));
        Acknowledge(8, 12);
        Assert.Equal(9_500UL, Stamp(clock));
        _host.After(Second);
        Assert.Equal(10_500UL, Stamp(clock));
    }

    [Fact]
    public void A_command_is_due_when_a_deadline_has_passed()
    {
        GroupClock clock = Leading(5_000, nextDeadline: 5_200);
        clock.OnStamped(_host.Now);
        Assert.False(IsDue(clock));
        _host.After(199_999);
        Assert.False(IsDue(clock));
        _host.After(1);
        Assert.True(IsDue(clock));
        clock.OnApplied(new GroupTimes(5_200, 6_000, null));
        Assert.False(IsDue(clock));
    }

    /// <summary>So that time goes on in the log, and the next leader does not begin far behind.</summary>
    [Fact]
    public void It_is_due_once_the_last_stamp_is_60_seconds_old_while_there_is_any_deadline()
    {
        GroupClock clock = Leading(5_000, nextDeadline: 1_000_000_000);
        clock.OnStamped(_host.Now);
        _host.After((60 * Second) - 1);
        Assert.False(IsDue(clock));
        _host.After(1);
        Assert.True(IsDue(clock));
        clock.OnStamped(_host.Now); // Any write's stamp is one.
        Assert.False(IsDue(clock));
    }

    [Fact]
    public void Without_a_deadline_it_is_never_due()
    {
        GroupClock clock = Leading(5_000);
        _host.After(3_600 * Second);
        Assert.False(IsDue(clock));
    }

    /// <summary>Unlike a deadline it needs no stamps on the way: nobody is promised that history goes.</summary>
    [Fact]
    public void History_that_may_go_is_due_at_its_time_and_not_before()
    {
        GroupClock clock = Leading(5_000);
        clock.OnApplied(new GroupTimes(5_000, null, 605_000));
        _host.After(599 * Second);
        Assert.False(IsDue(clock));
        Assert.Equal(_host.Now + Second, clock.WakeAtMicros(_host.Now, _host.Group));
        _host.After(Second);
        Assert.True(IsDue(clock));
    }

    [Fact]
    public void It_is_due_at_nobody_but_a_leader_that_stamps()
    {
        GroupClock clock = New(5_000, 4_000);
        _host.After(100 * Second);
        Assert.False(IsDue(clock));
        Elect(6);
        Assert.False(IsDue(clock));
        Acknowledge(6, 11);
        Assert.True(IsDue(clock));
    }

    [Fact]
    public void It_is_not_due_while_one_is_under_way()
    {
        GroupClock clock = Leading(5_000, nextDeadline: 5_000);
        Assert.True(IsDue(clock));
        clock.OnCommandProposed(new LogIndex(12), new Term(6));
        _host.After(100_000);
        Assert.False(IsDue(clock));
        _host.Propose("p");
        _host.Settle();
        Acknowledge(6, 12);
        Assert.True(IsDue(clock)); // Applied, and the deadline it left behind has passed too.
    }

    [Fact]
    public void One_of_an_earlier_leadership_is_not_waited_for()
    {
        GroupClock clock = Leading(5_000, nextDeadline: 5_000);
        clock.OnCommandProposed(new LogIndex(100), new Term(6));
        Depose(7);
        Elect(8);
        Acknowledge(8, 12);
        Assert.True(IsDue(clock));
    }

    [Fact]
    public void A_host_proposes_its_machines_command_once_and_stamps_it()
    {
        HostFixture host = HostFixture.Leading(voters: 3);
        FakeMachine machine = host.Machines.Opened[new GroupId(1)];
        machine.NextDeadlineMillis = 300;
        host.Propose("p");
        host.Settle();
        host.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
        Assert.Equal(0UL, StampsOf(host)[12].Stamp); // The group's time begins at 0.
        for (int i = 0; i < 20; i++)
        {
            host.After(50_000);
            host.Receive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6)); // Else it would not lead for long.
        }

        var stamps = StampsOf(host);
        Assert.Equal(13UL, stamps.Keys.Max());
        Assert.Equal("deadline"u8, stamps[13].Payload);
        Assert.InRange(stamps[13].Stamp, 300UL, 350UL);
        host.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 13));
        Assert.Equal(stamps[13].Stamp, machine.TimeMillis);
    }

    private static Dictionary<ulong, (ulong Stamp, byte[] Payload)> StampsOf(HostFixture host) =>
        host.Log.Read(new GroupId(1), new LogIndex(11), new LogIndex(99), int.MaxValue).ToDictionary(entry => entry.Index.Value, entry => (entry.StampMillis, entry.Payload.ToArray()));

    private static GroupClock New(ulong time, ulong? nextDeadline, ulong? nextCompaction = null) => new(new GroupTimes(time, nextDeadline, nextCompaction));

    private GroupClock Leading(ulong time, ulong? nextDeadline = null)
    {
        Elect(6);
        Acknowledge(6, 11);
        GroupClock clock = New(time, nextDeadline);
        Assert.Equal(time, Stamp(clock));
        return clock;
    }

    private ulong Stamp(GroupClock clock) => clock.Stamp(_host.Now, _host.Group);

    private bool IsDue(GroupClock clock) => clock.IsCommandDue(_host.Now, _host.Group);

    private void Elect(ulong term)
    {
        _host.After(Second + 1);
        _host.Settle();
        _host.Receive(Some.Message(MessageKind.PreVoteResponse, 2, 1, term));
        _host.Receive(Some.Message(MessageKind.VoteResponse, 2, 1, term));
        Assert.Equal((Role.Leader, term), (_host.Group.Role, _host.Group.Term.Value));
    }

    private void Acknowledge(ulong term, ulong index)
    {
        _host.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, term, index: index));
        Assert.Equal(index, _host.Group.Applied.Value);
    }

    private void Depose(ulong term)
    {
        _host.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, term));
        Assert.Equal(Role.Follower, _host.Group.Role);
    }
}
