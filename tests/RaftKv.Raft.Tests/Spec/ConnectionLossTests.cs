namespace RaftKv.Raft.Tests.Spec;

/// <summary>Design §6, timing defaults: the connection of a process that dies is closed at once, which is news long before silence is.</summary>
public sealed class ConnectionLossTests
{
    [Fact]
    public void A_follower_that_lost_its_leaders_connection_asks_for_pre_votes_within_100_to_300_milliseconds()
    {
        Replica follower = Following();
        Lose(follower);
        follower.TickAfter(99);
        Assert.Equal(Role.Follower, follower.Group.Role);
        follower.TickAfter(201);
        Assert.Equal(Role.PreCandidate, follower.Group.Role);
        Assert.Equal(RoleChangeReason.ConnectionLost, follower.Group.RoleChanges.Last().Reason);
        Assert.Equal(5UL, follower.Term); // Only asks.
    }

    [Fact]
    public void A_voter_that_lost_it_too_grants_pre_vote_and_vote_at_once()
    {
        Replica voter = Following();
        Lose(voter);
        Assert.False(Assert.Single(voter.Answer(Some.PreVote(3, 1, 6, 9, 5))).Rejected);
        Assert.False(Assert.Single(voter.Answer(Some.Vote(3, 1, 6, 9, 5))).Rejected);
    }

    [Fact]
    public void A_voter_that_still_has_it_refuses()
    {
        Replica voter = Following();
        Assert.True(Assert.Single(voter.Answer(Some.PreVote(3, 1, 6, 9, 5))).Rejected);
        Assert.Empty(voter.Answer(Some.Vote(3, 1, 6, 9, 5)));
    }

    [Fact]
    public void Nothing_happens_if_it_comes_back_in_time()
    {
        Replica follower = Following();
        Lose(follower);
        follower.TickAfter(90);
        follower.Group.OnLeaderConnection(follower.Clock.Micros, isUp: true);
        follower.TickAfter(350);
        Assert.Equal(Role.Follower, follower.Group.Role);
        Assert.True(Assert.Single(follower.Answer(Some.PreVote(3, 1, 6, 9, 5))).Rejected);
    }

    [Fact]
    public void A_message_of_the_leader_is_as_good_as_its_connection()
    {
        Replica follower = Following();
        Lose(follower);
        follower.Receive(Some.Heartbeat(2, 1, 5));
        follower.TickAfter(350);
        Assert.Equal(Role.Follower, follower.Group.Role);
    }

    [Fact]
    public void Another_leader_has_a_connection_of_its_own()
    {
        Replica follower = Following();
        Lose(follower);
        follower.Receive(Some.Heartbeat(3, 1, 6));
        follower.TickAfter(350);
        Assert.Equal((Role.Follower, new ReplicaId(3)), (follower.Group.Role, follower.Group.Leader));
    }

    [Fact]
    public void A_connection_that_flaps_does_not_put_off_the_election_that_silence_brings()
    {
        Replica follower = Following();
        for (int i = 0; i < 20; i++)
        {
            Lose(follower);
            follower.TickAfter(25);
            follower.Group.OnLeaderConnection(follower.Clock.Micros, isUp: true);
            follower.TickAfter(25);
        }

        Assert.NotEqual(Role.Follower, follower.Group.Role);
    }

    [Fact]
    public void Leaders_and_candidates_do_not_care()
    {
        Replica leader = Replica.Leading();
        Lose(leader);
        Assert.Equal(Role.Leader, leader.Group.Role);
        Assert.True(Assert.Single(leader.Answer(Some.PreVote(3, 1, 9, 9, 8))).Rejected);
    }

    private static Replica Following()
    {
        Replica follower = Replica.Alone();
        follower.Receive(Some.Heartbeat(2, 1, 5));
        return follower;
    }

    private static void Lose(Replica replica) => replica.Group.OnLeaderConnection(replica.Clock.Micros, isUp: false);
}
