namespace RaftKv.Raft.Tests.Spec;

/// <summary>Thesis §6.4: "followers can also help": a follower asks its leader for a read index and serves the read itself.</summary>
public sealed class FollowerReadTests
{
    [Fact]
    public void A_follower_is_told_the_leaders_commit_index_once_a_majority_has_confirmed_the_leader()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].Propose("x");
        cluster.Settle();
        Assert.True(cluster[2].Read(7));
        cluster.Settle();
        Assert.Equal((7UL, cluster[1].Group.Commit, new Term(6)), (cluster[2].Grants[0].Context, cluster[2].Grants[0].Index, cluster[2].Grants[0].Term));
    }

    [Fact]
    public void The_leader_answers_nothing_before_that()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        Assert.DoesNotContain(leader.Answer(Ask(2, 1, 6, number: 40)), IsAnswer);
        Assert.Empty(leader.Answer(Some.HeartbeatResponse(2, 1, 6, round: 1)));
        Message answer = Assert.Single(leader.Answer(Some.HeartbeatResponse(2, 1, 6, round: 2)));
        Assert.Equal((MessageKind.ReadIndexResponse, new ReplicaId(2), 40UL, leader.Group.Commit), (answer.Kind, answer.To, answer.ReadRound, answer.Index));
        Assert.Empty(leader.Grants);
    }

    [Fact]
    public void Nor_whom_it_does_not_know()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        Assert.Empty(leader.Answer(Ask(9, 1, 6, number: 40)));
    }

    // An answer to an earlier question may be older than the reads that came since.
    [Fact]
    public void Reads_that_come_while_a_question_is_on_its_way_wait_for_one_of_their_own()
    {
        Replica follower = Following();
        follower.Read(1);
        ulong first = Question(follower);
        follower.Read(2);
        Assert.Empty(follower.TakeSent());
        follower.Receive(Say(first, 11));
        Assert.Equal([1UL], follower.Grants.Select(grant => grant.Context));
        ulong second = Question(follower);
        Assert.NotEqual(first, second);
        follower.Receive(Say(first, 11));
        Assert.Single(follower.Grants);
        follower.Receive(Say(second, 12));
        Assert.Equal([(1UL, 11UL), (2UL, 12UL)], follower.Grants.Select(grant => (grant.Context, grant.Index.Value)));
    }

    // Under the same number: else an answer that takes longer than our patience would never count.
    [Fact]
    public void A_question_without_an_answer_is_put_again_and_either_answer_counts()
    {
        Replica follower = Following();
        follower.Read(1);
        ulong asked = Question(follower);
        follower.Read(2);
        follower.Receive(Some.Heartbeat(1, 2, 6));
        follower.TakeSent();
        follower.TickAfter(200);
        Assert.Equal(asked, Question(follower));
        follower.Receive(Say(asked, 11));
        Assert.Equal([1UL], follower.Grants.Select(grant => grant.Context));
        follower.Receive(Say(Question(follower), 12));
        Assert.Equal([1UL, 2UL], follower.Grants.Select(grant => grant.Context));
    }

    // A leader that does not know the question, for one.
    [Fact]
    public void A_question_that_nobody_answers_is_given_up_after_an_election_timeout()
    {
        Replica follower = Following();
        follower.Read(1);
        for (int i = 0; i < 5; i++)
        {
            Assert.Empty(follower.ReadsDropped);
            follower.Receive(Some.Heartbeat(1, 2, 6));
            follower.TickAfter(100);
        }

        Assert.Equal([1UL], follower.ReadsDropped);
    }

    [Fact]
    public void A_follower_whose_reads_wait_does_not_agree_to_sleep()
    {
        Replica follower = Following();
        follower.Read(1);
        Message answer = Assert.Single(follower.Answer(Some.Message(MessageKind.Hibernate, 1, 2, 6) with { Index = follower.Group.LastIndex }), message => message.Kind == MessageKind.HibernateResponse);
        Assert.True(answer.Rejected);
        Assert.False(follower.Group.IsAsleep);
    }

    [Fact]
    public void They_are_dropped_when_another_leads_or_nobody()
    {
        Replica follower = Following();
        follower.Read(1);
        follower.Receive(Some.Heartbeat(3, 2, 7));
        Assert.Equal([1UL], follower.ReadsDropped);
        follower.Read(2);
        follower.TimeOut();
        Assert.Equal([1UL, 2UL], follower.ReadsDropped);
        Assert.False(follower.Read(3));
    }

    [Fact]
    public void Two_lives_of_a_replica_ask_under_different_numbers()
    {
        Replica follower = Following();
        follower.Read(1);
        ulong before = Question(follower);
        follower.Restart();
        follower.Receive(Some.Heartbeat(1, 2, 6));
        follower.TakeSent();
        follower.Read(1);
        Assert.NotEqual(before, Question(follower));
    }

    // The leader's own log may begin with another's entries: it knows what is committed only by one of its own (thesis §6.4, step 1).
    [Fact]
    public void A_new_leader_answers_only_once_it_has_committed_an_entry_of_its_term()
    {
        Replica leader = Replica.Leading(3, Disk.Of(1, 0, 1, 1, 1));
        leader.Receive(Ask(2, 1, 2, number: 40));
        leader.Receive(Some.HeartbeatResponse(2, 1, 2, round: 1));
        leader.TakeSent();
        leader.Receive(Some.Ack(2, 1, 2, 3));
        Assert.DoesNotContain(leader.TakeSent(), IsAnswer);
        leader.Receive(Some.HeartbeatResponse(2, 1, 2, round: 2));
        Assert.Equal(3UL, Assert.Single(leader.TakeSent(), IsAnswer).Index.Value);
    }

    private static Replica Following()
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        follower.Receive(Some.Heartbeat(1, 2, 6));
        follower.TakeSent();
        return follower;
    }

    private static bool IsAnswer(Message message) => message.Kind == MessageKind.ReadIndexResponse;

    private static ulong Question(Replica follower) => Assert.Single(follower.TakeSent(), message => message.Kind == MessageKind.ReadIndex && message.To == new ReplicaId(1)).ReadRound;

    private static Message Ask(ulong from, ulong to, ulong term, ulong number) => Some.Message(MessageKind.ReadIndex, from, to, term) with { ReadRound = number };

    private static Message Say(ulong number, ulong index) => Some.Message(MessageKind.ReadIndexResponse, 1, 2, 6) with { ReadRound = number, Index = new LogIndex(index) };
}
