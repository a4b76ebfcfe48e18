using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>A node all of whose groups sleep looks around less often, until something happens.</summary>
public sealed class QuietTests
{
    private const long Second = 1_000_000;

    [Fact]
    public void A_node_whose_groups_sleep_ticks_and_says_that_it_lives_less_often()
    {
        HostFixture leader = Quiet();
        (int ticks, int heartbeats) = Watch(leader);
        Assert.Equal(Second / HostFixture.Options.QuietTickMicros, ticks);
        Assert.Equal(2 * Second / HostFixture.Options.QuietHeartbeatMicros, heartbeats); // To each of two.
    }

    [Fact]
    public void Whatever_touches_a_group_brings_the_next_tick_forward()
    {
        HostFixture leader = Quiet();
        leader.Propose("p");
        leader.Settle();
        Assert.Equal(leader.Now + HostFixture.Options.TickMicros, leader.Worker.NextTickAt);
        Assert.False(leader.Group.IsAsleep);
        (int ticks, int heartbeats) = Watch(leader);
        Assert.Equal(Second / HostFixture.Options.TickMicros, ticks);
        Assert.Equal(2 * Second / HostFixture.Options.HeartbeatIntervalMicros, heartbeats);
    }

    [Fact]
    public void Two_quiet_heartbeats_fit_in_an_election_timeout_and_none_is_sooner_than_others()
    {
        HostOptions options = HostFixture.Options;
        Assert.InRange(2 * options.QuietHeartbeatMicros, 0, options.ElectionTimeoutMicros);
        options = options with { ElectionTimeoutMicros = 2 * options.HeartbeatIntervalMicros };
        Assert.Equal((options.TickMicros, options.HeartbeatIntervalMicros), (options.QuietTickMicros, options.QuietHeartbeatMicros));
        options = options with { ElectionTimeoutMicros = 60 * Second };
        Assert.Equal((125_000, 250_000), (options.QuietTickMicros, options.QuietHeartbeatMicros)); // A key whose time is up is late by no more than that.
    }

    /// <summary>Leads a group that sleeps, and has noticed.</summary>
    private static HostFixture Quiet()
    {
        HostFixture leader = HostFixture.Leading(options: HostFixture.Options with { HibernateAfterMicros = 0 });
        leader.FallAsleep();
        leader.After(HostFixture.Options.QuietTickMicros);
        leader.Settle();
        return leader;
    }

    /// <summary>How often the node ticks in a second in which both followers answer, and how many heartbeats of the node go out.</summary>
    private static (int Ticks, int Heartbeats) Watch(HostFixture leader)
    {
        int before = leader.Links.NodeHeartbeats;
        int ticks = 0;
        for (long end = leader.Now + Second; leader.Worker.NextTickAt <= end; ticks++)
        {
            leader.After(leader.Worker.NextTickAt - leader.Now);
            leader.Settle();
            if (!leader.Group.IsAsleep) leader.Receive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6));
        }

        return (ticks, leader.Links.NodeHeartbeats - before);
    }
}
