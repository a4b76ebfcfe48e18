namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper §5.1, §5.2, §5.4.1: terms, votes, the election restriction.</summary>
public sealed class VotingTests
{
    private static readonly (ulong Last, ulong Term)[] LogEnds =
        [(0, 0), (1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (3, 3)];

    // §5.4.1: the later term wins; with equal terms the longer log. (bugs.md E5)
    [Fact]
    public void A_vote_goes_only_to_a_log_at_least_as_new_compared_by_term_and_then_by_index()
    {
        foreach (var mine in LogEnds)
        {
            foreach (var theirs in LogEnds)
            {
                bool isUpToDate = theirs.Term > mine.Term || (theirs.Term == mine.Term && theirs.Last >= mine.Last);
                Assert.Equal(isUpToDate, GrantsVote(mine, Some.Vote(2, 1, 9, theirs.Last, theirs.Term)));
                Assert.Equal(isUpToDate, GrantsVote(mine, Some.PreVote(2, 1, 9, theirs.Last, theirs.Term)));
            }
        }

        static bool GrantsVote((ulong Last, ulong Term) log, Message question)
        {
            ulong[] terms = new ulong[log.Last];
            Array.Fill(terms, log.Term);
            Replica voter = Replica.Alone(3, Disk.OfLog(terms));
            return !Assert.Single(voter.Answer(question)).Rejected;
        }
    }

    // §5.2: first come, first served, one vote a term.
    [Fact]
    public void A_replica_votes_for_one_candidate_a_term()
    {
        Replica voter = Replica.Alone();
        Assert.False(Assert.Single(voter.Answer(Some.Vote(2, 1, 5, 0, 0))).Rejected);
        Assert.True(Assert.Single(voter.Answer(Some.Vote(3, 1, 5, 9, 4))).Rejected);
        Assert.Equal(new ReplicaId(2), voter.Group.Vote);
        Assert.False(Assert.Single(voter.Answer(Some.Vote(3, 1, 6, 9, 4))).Rejected);
    }

    // A lost answer is asked for again.
    [Fact]
    public void The_candidate_voted_for_gets_the_same_answer_again()
    {
        Replica voter = Replica.Alone();
        voter.Receive(Some.Vote(2, 1, 5, 0, 0));
        Assert.False(Assert.Single(voter.Answer(Some.Vote(2, 1, 5, 0, 0))).Rejected);
    }

    // §5.2, figure 2 "persistent state". (E1, E3)
    [Fact]
    public void A_restarted_replica_remembers_its_vote()
    {
        Replica voter = Replica.Alone();
        voter.Receive(Some.Vote(2, 1, 5, 0, 0));
        voter.Restart();
        Assert.Equal(5UL, voter.Term);
        Assert.Equal(new ReplicaId(2), voter.Group.Vote);
        Assert.True(Assert.Single(voter.Answer(Some.Vote(3, 1, 5, 9, 4))).Rejected);
        Assert.False(Assert.Single(voter.Answer(Some.Vote(2, 1, 5, 0, 0))).Rejected);
    }

    // A crash before the write: the vote was never heard of, so another may be given.
    [Fact]
    public void A_vote_that_was_not_durable_was_not_answered_either()
    {
        Replica voter = Replica.Alone();
        voter.HoldsWrites = true;
        Assert.Empty(voter.Answer(Some.Vote(2, 1, 5, 0, 0)));
        voter.Restart();
        Assert.Equal(0UL, voter.Term);
        voter.HoldsWrites = false;
        Assert.False(Assert.Single(voter.Answer(Some.Vote(3, 1, 5, 0, 0))).Rejected);
    }

    // §5.2: a candidate votes for itself, so it has no vote left.
    [Fact]
    public void A_candidate_refuses_its_vote_to_another_candidate_of_its_term()
    {
        Replica candidate = Replica.Alone();
        candidate.Campaign();
        Assert.Equal(Role.Candidate, candidate.Group.Role);
        Assert.True(Assert.Single(candidate.Answer(Some.Vote(2, 1, candidate.Term, 9, 0))).Rejected);
    }

    // Within a term a known leader has won already; whoever did not vote for it does not help a loser.
    [Fact]
    public void A_replica_that_follows_a_leader_gives_nobody_its_vote_of_that_term()
    {
        Replica follower = Replica.Alone();
        follower.Receive(Some.Heartbeat(2, 1, 5));
        follower.TickAfter(499);
        Assert.True(Assert.Single(follower.Answer(Some.Vote(3, 1, 5, 0, 0))).Rejected);
        Assert.Equal(ReplicaId.None, follower.Group.Vote);
    }

    // §5.2: the majority of the configuration, counting its own vote.
    [Theory]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 2)]
    public void A_candidate_leads_once_a_majority_has_voted_for_it(int voters, int votesNeeded)
    {
        Replica candidate = Replica.Alone(voters);
        candidate.Campaign();
        for (int i = 0; i < votesNeeded; i++)
        {
            Assert.Equal(Role.Candidate, candidate.Group.Role);
            candidate.Receive(Some.VoteResponse((ulong)i + 2, 1, candidate.Term));
            candidate.Receive(Some.VoteResponse((ulong)i + 2, 1, candidate.Term)); // A duplicate counts once.
        }

        Assert.Equal(Role.Leader, candidate.Group.Role);
    }

    [Fact]
    public void A_vote_of_an_outsider_does_not_count()
    {
        Replica candidate = Replica.Alone(5);
        candidate.Campaign();
        for (ulong outsider = 10; outsider < 15; outsider++) candidate.Receive(Some.VoteResponse(outsider, 1, candidate.Term));
        Assert.Equal(Role.Candidate, candidate.Group.Role);
    }

    [Fact]
    public void A_vote_of_an_earlier_candidacy_does_not_count()
    {
        Replica candidate = Replica.Alone();
        candidate.Campaign();
        ulong lostTerm = candidate.Term;
        candidate.Campaign();
        Assert.Equal(lostTerm + 1, candidate.Term);
        candidate.Receive(Some.VoteResponse(2, 1, lostTerm));
        Assert.Equal(Role.Candidate, candidate.Group.Role);
    }

    [Fact]
    public void A_candidate_that_a_majority_rejected_becomes_a_follower()
    {
        Replica candidate = Replica.Alone();
        candidate.Campaign();
        candidate.Receive(Some.VoteResponse(2, 1, candidate.Term, granted: false));
        Assert.Equal(Role.Candidate, candidate.Group.Role);
        candidate.Receive(Some.VoteResponse(3, 1, candidate.Term, granted: false));
        Assert.Equal(Role.Follower, candidate.Group.Role);
        // A vote that comes after the loss changes nothing.
        candidate.Receive(Some.VoteResponse(2, 1, candidate.Term));
        Assert.Equal(Role.Follower, candidate.Group.Role);
    }

    // §5.2: "another server establishes itself as leader".
    [Theory]
    [InlineData(MessageKind.Append)]
    [InlineData(MessageKind.Heartbeat)]
    public void A_candidate_that_hears_a_leader_of_its_term_follows_it(MessageKind kind)
    {
        Replica candidate = Replica.Alone();
        candidate.Campaign();
        Message message = kind == MessageKind.Append ? Some.Append(2, 1, candidate.Term, 0, 0, 0) : Some.Heartbeat(2, 1, candidate.Term);
        candidate.Receive(message);
        Assert.Equal(Role.Follower, candidate.Group.Role);
        Assert.Equal(new ReplicaId(2), candidate.Group.Leader);
    }

    // §5.2, and §9.3 on random timeouts. (E6)
    [Fact]
    public void Only_a_granted_vote_resets_the_election_timer()
    {
        Replica voter = Replica.Alone(3, Disk.OfLog(1, 1));
        for (int i = 0; i < 19; i++)
        {
            voter.Receive(Some.Vote(2, 1, voter.Term + 1, 0, 0)); // Its log is stale: never granted.
            voter.Clock.Advance(50);
        }

        voter.TickAfter(50);

        Assert.Equal(Role.PreCandidate, voter.Group.Role);
    }

    [Fact]
    public void A_granted_vote_resets_the_election_timer()
    {
        Replica voter = Replica.Alone();
        for (int i = 0; i < 40; i++)
        {
            voter.Receive(Some.Vote(2, 1, voter.Term + 1, 0, 0));
            voter.TickAfter(499);
            Assert.Equal(Role.Follower, voter.Group.Role);
        }
    }

    // §9.3: timeouts are spread, so that votes rarely split.
    [Fact]
    public void Election_timeouts_are_spread_between_one_and_two_timeouts()
    {
        List<long> waits = [];
        Replica replica = Replica.Alone();
        for (int i = 0; i < 200; i++)
        {
            replica.Receive(Some.Heartbeat(2, 1, 5));
            long heard = replica.Clock.Micros;
            while (replica.Group.Role == Role.Follower) replica.TickAfter(1);
            waits.Add((replica.Clock.Micros - heard) / 1000);
        }

        Assert.InRange(waits.Min(), 500, 520);
        Assert.InRange(waits.Max(), 980, 1000);
    }

    // §5.1: on every path. (E16)
    [Fact]
    public void Any_message_of_a_higher_term_but_a_pre_vote_ends_a_leadership()
    {
        Message[] messages =
        [
            Some.VoteResponse(2, 1, 9, granted: false), Some.Append(2, 1, 9, 0, 0, 0), Some.Heartbeat(2, 1, 9),
            Some.Reject(2, 1, 9, 0, 0, 0), Some.Ack(2, 1, 9, 0), Some.HeartbeatResponse(2, 1, 9), Some.PreVoteResponse(2, 1, 9, granted: false),
        ];
        foreach (Message message in messages)
        {
            Replica leader = Replica.Leading();
            leader.Receive(message);
            Assert.Equal(Role.Follower, leader.Group.Role);
            Assert.Equal(9UL, leader.Term);
            Assert.Equal(ReplicaId.None, leader.Group.Vote);
        }
    }

    // §5.1: "if a server receives a request with a stale term number, it rejects". (E8: without an answer, no way back.)
    [Fact]
    public void Whoever_leads_or_campaigns_in_an_older_term_is_told_of_the_newer()
    {
        Replica replica = Replica.Alone(3, Disk.Of(term: 5));
        Message[] questions = [Some.Append(2, 1, 4, 0, 0, 0, 4), Some.Heartbeat(2, 1, 4), Some.Vote(2, 1, 4, 9, 4), Some.PreVote(2, 1, 4, 9, 4)];
        foreach (Message question in questions)
        {
            Message answer = Assert.Single(replica.Answer(question));
            Assert.Equal(5UL, answer.Term.Value);
            Assert.True(answer.Rejected);
        }

        Assert.Equal(0UL, replica.Last);
        Assert.Equal(ReplicaId.None, replica.Group.Leader);
    }

    [Fact]
    public void Answers_of_an_older_term_are_ignored()
    {
        Replica leader = Replica.Leading();
        leader.Propose("x");
        ulong stale = leader.Term - 1;
        Message[] answers = [Some.Ack(2, 1, stale, 2), Some.Reject(2, 1, stale, 1, 0, 0), Some.HeartbeatResponse(2, 1, stale), Some.VoteResponse(2, 1, stale)];
        foreach (Message answer in answers) Assert.Empty(leader.Answer(answer));
        Assert.Equal(0UL, leader.Commit);
    }

    // §5.1, end to end: the old leader of a healed partition gives up as soon as anybody answers it.
    [Fact]
    public void A_leader_of_a_stale_term_steps_down_when_it_is_answered()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster.Isolate(1);
        cluster.Elect(2);
        Assert.Equal(Role.Leader, cluster[1].Group.Role);
        cluster.Heal();
        cluster[1].Propose("lost");
        cluster.Deliver(message => message.From == cluster[1].Id || message.To == cluster[1].Id);
        Assert.Equal(Role.Follower, cluster[1].Group.Role);
        Assert.Equal(cluster[2].Term, cluster[1].Term);
        Assert.Equal(Role.Leader, cluster[2].Group.Role);
    }

    // E8: a replica alone in a higher term must be able to come back, at the price of one election.
    [Fact]
    public void A_replica_with_a_higher_term_and_no_majority_is_led_again()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[3].Campaign();
        cluster[3].TakeSent();
        Assert.True(cluster[3].Term > cluster[1].Term);
        cluster.Run(3000);
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
        Assert.All(cluster.Replicas, replica => Assert.Equal(leader.Id, replica.Group.Leader));
        Assert.All(cluster.Replicas, replica => Assert.Equal(leader.Term, replica.Term));
    }

    // Thesis §4.2.1: learners take no part in elections.
    [Fact]
    public void A_learner_never_campaigns_and_is_never_asked()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1), Some.Member(2)], [Some.Member(3)]), ConfigurationHalf.Empty);
        Replica learner = new(3, configuration, new Disk());
        for (int i = 0; i < 10; i++) learner.TimeOut();
        Assert.Equal(Role.Follower, learner.Group.Role);
        Assert.All(learner.TakeSent(), message => Assert.Equal(MessageKind.AmIMember, message.Kind)); // It may have been removed, and would not hear of it.

        Replica voter = new(1, configuration, new Disk());
        voter.TimeOut();
        Assert.Equal(new ReplicaId(2), Assert.Single(voter.TakeSent()).To);
    }

    // bugs.md M8: a voter that does not know yet that it is one must vote, or a change could not complete.
    [Fact]
    public void A_learner_votes_when_it_is_asked()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1), Some.Member(2)], [Some.Member(3)]), ConfigurationHalf.Empty);
        Replica learner = new(3, configuration, new Disk());
        Assert.False(Assert.Single(learner.Answer(Some.Vote(1, 3, 4, 0, 0))).Rejected);
    }

    // Raft paper §6: while joint, both majorities.
    [Fact]
    public void In_a_joint_configuration_a_candidate_needs_a_majority_of_each_half()
    {
        Configuration joint = new(
            new ConfigurationHalf([Some.Member(1), Some.Member(2), Some.Member(3)], []),
            new ConfigurationHalf([Some.Member(1), Some.Member(4), Some.Member(5)], []));
        Replica candidate = new(1, joint, new Disk());
        candidate.Campaign();
        candidate.Receive(Some.VoteResponse(2, 1, candidate.Term));
        candidate.Receive(Some.VoteResponse(3, 1, candidate.Term));
        Assert.Equal(Role.Candidate, candidate.Group.Role);
        candidate.Receive(Some.VoteResponse(5, 1, candidate.Term));
        Assert.Equal(Role.Leader, candidate.Group.Role);
    }
}
