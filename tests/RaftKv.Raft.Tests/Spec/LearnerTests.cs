namespace RaftKv.Raft.Tests.Spec;

/// <summary>
/// Thesis §4.2.1: a new server gets the log before it counts. That a learner neither campaigns nor counts in an election, a commit or a read: VotingTests,
/// CommitRuleTests, ReadIndexTests. (bugs.md M8, M9, E17)
/// </summary>
public sealed class LearnerTests
{
    private static readonly Configuration OneLearner = Some.Of([1, 2, 3], 4);

    [Fact]
    public void A_message_makes_a_learner_that_begins_with_a_snapshot_and_goes_on_with_entries()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].Propose("before");
        cluster.Settle();
        List<string> heard = [];
        cluster.OnDeliver = message => heard.Add($"{message.From.Value}>{message.To.Value} {message.Kind}");
        Replica learner = cluster.AddLearner(1, 4);
        cluster[1].Propose("after");
        cluster.Settle();
        cluster.Heartbeat(1);
        Assert.Equal(10UL, learner.Disk.SnapshotIndex.Value);
        Assert.Equal(cluster[1].StateMachine, learner.StateMachine);
        Assert.Equal(cluster[1].Group.Configuration, learner.Group.AppliedConfiguration);
        Assert.Contains($"1>{learner.Id.Value} Append", heard);
    }

    [Fact]
    public void A_learner_does_not_keep_a_leader_in_office()
    {
        Replica leader = Replica.LeadingOf(OneLearner);
        for (int i = 0; i < 6; i++)
        {
            leader.TickAfter(100);
            if (leader.Group.Role == Role.Leader) leader.Receive(Some.HeartbeatResponse(4, 1, 6));
        }

        Assert.Equal(Role.Follower, leader.Group.Role);
    }

    // It would count in every majority and answer in none.
    [Fact]
    public void A_learner_that_has_nothing_yet_does_not_become_a_voter()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].Change(MemberChange.AddLearner(new NodeId(4)));
        ReplicaId learner = Assert.Single(cluster[1].Group.Configuration.Incoming.Learners).Replica;
        cluster.Deliver(message => message.To != learner);
        Assert.Equal(ProposeStatus.Busy, cluster[1].Change(MemberChange.Promote(learner)).Status); // It has not answered.
        cluster.Deliver();
        Assert.Single(cluster[1].SnapshotsAsked);
        Assert.Equal(ProposeStatus.Busy, cluster[1].Change(MemberChange.Promote(learner)).Status); // It waits for a snapshot.
        cluster.Settle();
        Assert.Equal(ProposeStatus.Appended, cluster[1].Change(MemberChange.Promote(learner)).Status);
    }

    [Theory]
    [InlineData(1_000, ProposeStatus.Appended)]
    [InlineData(1_001, ProposeStatus.Busy)]
    public void A_learner_becomes_a_voter_only_when_it_is_not_far_behind(int entries, ProposeStatus status)
    {
        Replica leader = Replica.LeadingOf(OneLearner);
        for (int i = 0; i < entries; i++) leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 6, leader.Last));
        Assert.Equal(status, leader.Change(MemberChange.Promote(new ReplicaId(4))).Status);
    }

    [Fact]
    public void A_promoted_learner_counts_from_the_append_on()
    {
        Cluster cluster = Cluster.Led(3);
        Replica learner = cluster.AddLearner(1, 4);
        cluster[1].Change(MemberChange.Promote(learner.Id));
        cluster.Isolate(3);
        cluster.Deliver(message => message.To != learner.Id);
        Assert.Equal(12UL, cluster[1].Commit); // Three of four it takes now.
        cluster.Settle();
        Assert.Equal(14UL, cluster[1].Commit);
        Assert.True(cluster[1].Group.AppliedConfiguration.IsVoter(learner.Id));
    }

    // bugs.md M8: the leader dies before the learner hears that it votes; without its vote nobody could win.
    [Fact]
    public void A_learner_that_has_not_heard_of_its_promotion_votes_all_the_same()
    {
        Cluster cluster = Cluster.Led(3);
        Replica learner = cluster.AddLearner(1, 4);
        cluster[1].Change(MemberChange.Promote(learner.Id));
        cluster.Deliver(message => message.To != learner.Id && message.From != learner.Id);
        cluster.Isolate(1);
        Assert.True(cluster[2].Group.Configuration.IsVoter(learner.Id));
        Assert.False(learner.Group.Configuration.IsVoter(learner.Id));
        cluster.Run(5_000);
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader && replica.Id.Value != 1);
        Assert.Equal(4, leader.Group.AppliedConfiguration.Incoming.Voters.Length);
        Assert.Equal(leader.Group.AppliedConfiguration, learner.Group.AppliedConfiguration);
    }

    // Simulator, seed 9411: who had the configuration in which it votes needed its vote and could not get it, and to the others the one who had it was in the way.
    [Fact]
    public void A_learner_with_the_newest_log_that_is_asked_for_its_vote_campaigns_and_gives_the_leadership_away()
    {
        Replica learner = WithNewestLog();
        learner.TimeOut();
        Assert.Equal(Role.Follower, learner.Group.Role);
        Message refused = Assert.Single(learner.Answer(Some.PreVote(2, 4, 8, 13, 6)));
        Assert.True(refused.Rejected);
        learner.TimeOut();
        Assert.Equal(Role.PreCandidate, learner.Group.Role);
        Assert.Equal([1UL, 2, 3], learner.TakeSent().Where(message => message.Kind == MessageKind.PreVote).Select(message => message.To.Value));

        learner.Receive(Some.PreVoteResponse(2, 4, 8));
        Assert.Equal(Role.PreCandidate, learner.Group.Role); // Its own vote is none: one of three.
        learner.Receive(Some.PreVoteResponse(3, 4, 8));
        learner.Receive(Some.VoteResponse(2, 4, 8));
        learner.Receive(Some.VoteResponse(3, 4, 8));
        Assert.Equal(Role.Leader, learner.Group.Role);
        learner.Receive(Some.Ack(2, 4, 8, 12));
        Assert.Equal(10UL, learner.Commit);
        learner.Receive(Some.Ack(3, 4, 8, 12));
        Assert.Equal((12UL, Role.Follower), (learner.Commit, learner.Group.Role));
        Assert.Contains(learner.TakeSent(), message => message.Kind == MessageKind.TimeoutNow);
    }

    [Fact]
    public void A_learner_that_was_asked_in_vain_and_hears_a_leader_since_does_not_campaign()
    {
        Replica learner = WithNewestLog();
        learner.TimeOut();
        learner.Receive(Some.PreVote(2, 4, 8, 13, 6));
        learner.Receive(Some.Heartbeat(3, 4, 8));
        learner.TimeOut();
        Assert.Equal(Role.Follower, learner.Group.Role);
    }

    [Fact]
    public void Nor_does_one_that_was_asked_while_its_leader_was_late_and_hears_that_one_again()
    {
        Replica learner = WithNewestLog();
        learner.Clock.Advance(500);
        learner.Receive(Some.PreVote(2, 4, 8, 13, 6));
        learner.Receive(Some.Heartbeat(1, 4, 7));
        learner.TimeOut();
        Assert.Equal(Role.Follower, learner.Group.Role);
    }

    [Fact]
    public void A_learner_that_is_asked_by_one_with_as_new_a_log_votes_and_does_not_campaign()
    {
        Replica learner = Replica.Of(OneLearner, 4);
        learner.TimeOut();
        Assert.False(Assert.Single(learner.Answer(Some.PreVote(2, 4, 6, 10, 5))).Rejected);
        learner.TimeOut();
        Assert.Equal(Role.Follower, learner.Group.Role);
    }

    // bugs.md E17.
    [Fact]
    public void A_voter_that_became_a_learner_does_not_campaign_and_is_not_told_to()
    {
        Cluster cluster = Cluster.Led(3);
        cluster.Change(1, MemberChange.Demote(new ReplicaId(3)));
        Assert.Equal(Some.Half([1, 2], 3), cluster[3].Group.AppliedConfiguration.Incoming);
        Assert.False(cluster[1].Transfer(3));
        cluster.Isolate(3);
        cluster.Run(5_000);
        Assert.Equal((Role.Follower, 6UL), (cluster[3].Group.Role, cluster[3].Term));
        cluster[3].Receive(Some.Message(MessageKind.TimeoutNow, 1, 3, 6));
        Assert.Equal(Role.Follower, cluster[3].Group.Role);
    }

    [Fact]
    public void A_voter_whose_demotion_was_taken_back_campaigns()
    {
        Replica voter = Replica.Of(Some.Voters(3), 2);
        voter.Receive(Some.Append(1, 2, 6, 10, 5, 10, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 3], [1, 2, 3])), Some.ConfigurationEntry(12, 6, Some.Of([1, 3], 2))]));
        voter.Receive(Some.Append(3, 2, 7, 10, 5, 10, 7));
        voter.TimeOut();
        Assert.Equal(Role.PreCandidate, voter.Group.Role);
    }

    [Fact]
    public void A_leader_that_became_a_learner_steps_down_when_the_leave_is_applied_and_stays()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].Change(MemberChange.Demote(new ReplicaId(1)));
        cluster.Settle();
        Assert.Equal((Role.Follower, false), (cluster[1].Group.Role, cluster[1].IsRemoved));
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
        cluster.Heartbeat((int)leader.Id.Value);
        Assert.Equal((leader.Id, Some.Half([2, 3], 1)), (cluster[1].Group.Leader, cluster[1].Group.AppliedConfiguration.Incoming));
    }

    // It would never find out by campaigning.
    [Fact]
    public void A_learner_that_hears_no_leader_asks_the_members_whether_it_is_one()
    {
        Replica learner = Replica.Of(OneLearner, 4);
        learner.TimeOut();
        Message[] questions = learner.TakeSent();
        Assert.Equal([1UL, 2UL, 3UL], questions.Select(question => question.To.Value));
        Assert.All(questions, question => Assert.Equal((MessageKind.AmIMember, new Term(5)), (question.Kind, question.Term)));
        learner.Receive(Some.Heartbeat(1, 4, 6));
        learner.TakeSent();
        learner.TickAfter(499);
        Assert.Empty(learner.TakeSent());
    }

    /// <summary>The learner r4, whose last entry, at 11, is of term 7; the voters are r1 to r3.</summary>
    private static Replica WithNewestLog()
    {
        Replica learner = Replica.Of(OneLearner, 4);
        learner.Receive(Some.Append(1, 4, 7, 10, 5, 10, 7));
        return learner;
    }
}
