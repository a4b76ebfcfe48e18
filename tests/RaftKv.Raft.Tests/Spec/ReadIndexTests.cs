namespace RaftKv.Raft.Tests.Spec;

/// <summary>Thesis §6.4: linearizable reads without a log entry. bugs.md R1, R2, R6, R7, R10.</summary>
public sealed class ReadIndexTests
{
    // §6.4 step 3: "it issues a new round of heartbeats and waits for their acknowledgments from a majority".
    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 2)]
    public void A_read_is_granted_when_a_majority_has_confirmed_a_round_and_not_by_one_less(int voters, int answersNeeded)
    {
        Replica leader = Established(voters);
        Assert.True(leader.Read(7));
        for (int i = 0; i < answersNeeded; i++)
        {
            Assert.Empty(leader.Grants);
            leader.Receive(Some.HeartbeatResponse((ulong)i + 2, 1, 1, round: 2));
            if (i == 0 && answersNeeded > 1) leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 2));
        }

        Assert.Equal(new ReadGrant(7, new LogIndex(1), new Term(1)), Assert.Single(leader.Grants));
    }

    [Fact]
    public void A_single_voter_confirms_itself()
    {
        Replica leader = Replica.Alone(voters: 1);
        leader.TimeOut();
        leader.Read(7);
        Assert.Equal(new ReadGrant(7, new LogIndex(1), new Term(1)), Assert.Single(leader.Grants));
    }

    // Simulator, seed 7092: the round had gone out to a voter that then left, and nobody was there to answer it; no later read was granted either.
    [Fact]
    public void A_read_that_waits_for_a_voter_who_leaves_is_granted_when_the_leader_is_left_alone()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(2));
        leader.Change(MemberChange.Remove(new ReplicaId(2)));
        leader.Read(7);
        Assert.Empty(leader.Grants);
        leader.Receive(Some.Ack(2, 1, 6, leader.Last)); // The joint configuration is committed by it, applied and left.
        Assert.Equal([1UL], leader.Group.Configuration.Members.Select(member => member.Replica.Value));
        Assert.Equal(7UL, Assert.Single(leader.Grants).Context);
    }

    [Fact]
    public void Whoever_does_not_lead_takes_no_read()
    {
        Replica replica = Replica.Alone();
        Assert.False(replica.Read(7));
        replica.Campaign();
        Assert.False(replica.Read(7));
        Assert.Empty(replica.ReadsDropped);
    }

    // §6.4 step 1. (R1)
    [Fact]
    public void A_new_leader_grants_no_read_before_an_entry_of_its_own_term_is_committed()
    {
        Replica leader = Replica.Leading(3, Disk.Of(1, 0, 1, 1, 1));
        leader.Read(7);
        leader.TickAfter(100);
        leader.Receive(Some.HeartbeatResponse(2, 1, 2, round: 2));
        leader.Receive(Some.HeartbeatResponse(3, 1, 2, round: 2));
        leader.Receive(Some.Ack(2, 1, 2, 2)); // All of the old term is on a majority; still nothing is known to be committed.
        Assert.Empty(leader.Grants);
        Assert.DoesNotContain(leader.TakeSent(), message => message.ReadRound > 2);
        leader.Receive(Some.Ack(2, 1, 2, 3));
        leader.Receive(Some.HeartbeatResponse(2, 1, 2, round: 3));
        Assert.Equal(3UL, Assert.Single(leader.Grants).Index.Value);
    }

    [Fact]
    public void A_single_voter_grants_no_read_before_its_no_op_is_durable()
    {
        Replica leader = Replica.Alone(voters: 1);
        leader.HoldsWrites = true;
        leader.TimeOut();
        leader.PersistOne();
        Assert.Equal(Role.Leader, leader.Group.Role);
        Assert.True(leader.Read(7));
        Assert.Empty(leader.Grants);
        leader.PersistOne();
        Assert.Single(leader.Grants);
    }

    // §6.4 step 2: the commit index when the round starts covers every write answered before the read was asked for.
    [Fact]
    public void The_read_index_is_the_commit_index_when_its_round_starts()
    {
        Replica leader = Established();
        leader.Propose("x");
        leader.Read(7);
        leader.Receive(Some.Ack(2, 1, 1, 2));
        leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 2));
        Assert.Equal(1UL, Assert.Single(leader.Grants).Index.Value);
        leader.Read(8);
        leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 3));
        Assert.Equal(2UL, leader.Grants[1].Index.Value);
    }

    // §6.4: "a leader can use a single round of heartbeats for any number of read-only queries that have accumulated".
    [Fact]
    public void Reads_gather_while_a_round_is_in_flight_and_the_next_round_confirms_them_all()
    {
        Replica leader = Established();
        leader.TakeSent();
        leader.Read(1);
        Assert.Equal(2, leader.TakeSent().Count(message => message is { Kind: MessageKind.Heartbeat, ReadRound: 2 }));
        leader.Read(2);
        leader.Read(3);
        Assert.Empty(leader.TakeSent());
        Message[] next = leader.Answer(Some.HeartbeatResponse(2, 1, 1, round: 2));
        Assert.Equal([1UL], leader.Grants.Select(grant => grant.Context));
        Assert.Equal(2, next.Count(message => message is { Kind: MessageKind.Heartbeat, ReadRound: 3 }));
        leader.Receive(Some.HeartbeatResponse(3, 1, 1, round: 3));
        Assert.Equal([1UL, 2UL, 3UL], leader.Grants.Select(grant => grant.Context));
    }

    // R2 (etcd 20418): an answer to a heartbeat sent before the read was asked for says nothing about the time after.
    [Fact]
    public void A_late_answer_to_an_earlier_round_confirms_nothing()
    {
        Replica leader = Established();
        leader.TickAfter(100); // A heartbeat of round 2 is on its way.
        leader.Read(1);
        leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 2));
        leader.Receive(Some.HeartbeatResponse(3, 1, 1, round: 2));
        Assert.Empty(leader.Grants);
        leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 3));
        leader.Read(2);
        leader.Receive(Some.HeartbeatResponse(3, 1, 1, round: 3)); // Late, and to the round before.
        Assert.Equal([1UL], leader.Grants.Select(grant => grant.Context));
        leader.Receive(Some.HeartbeatResponse(3, 1, 1, round: 4));
        Assert.Equal([1UL, 2UL], leader.Grants.Select(grant => grant.Context));
    }

    [Fact]
    public void An_append_acknowledged_confirms_no_read()
    {
        Replica leader = Established();
        leader.Propose("x");
        leader.Read(7);
        leader.Receive(Some.Ack(2, 1, 1, 2));
        leader.Receive(Some.Ack(3, 1, 1, 2));
        Assert.Empty(leader.Grants);
    }

    // Liveness: a round whose heartbeats were lost is asked again with the next heartbeat.
    [Fact]
    public void A_lost_round_is_asked_again_by_the_next_heartbeat()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Read(7);
        Assert.Equal(2, cluster.Drop(message => message.Kind == MessageKind.Heartbeat).Length);
        cluster.Heartbeat(1);
        Assert.Equal(7UL, Assert.Single(cluster[1].Grants).Context);
    }

    // R10: the old leader of a partition.
    [Fact]
    public void A_leader_without_a_quorum_grants_nothing_and_drops_its_reads_when_it_steps_down()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster.Isolate(1);
        cluster[1].Read(7);
        cluster[1].Read(8);
        for (int i = 0; i < 5; i++) cluster.Heartbeat(1);
        Assert.NotEqual(Role.Leader, cluster[1].Group.Role);
        Assert.Empty(cluster[1].Grants);
        Assert.Equal([7UL, 8UL], cluster[1].ReadsDropped);
    }

    [Fact]
    public void Reads_in_flight_and_waiting_are_dropped_once_when_a_higher_term_appears()
    {
        Replica leader = Established();
        leader.Read(7);
        leader.Read(8);
        leader.Receive(Some.Heartbeat(2, 1, 2));
        Assert.Equal([7UL, 8UL], leader.ReadsDropped);
        leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 2));
        leader.Receive(Some.Heartbeat(2, 1, 2));
        Assert.Empty(leader.Grants);
        Assert.Equal(2, leader.ReadsDropped.Count);
    }

    // Reads asked for before the no-op is committed are dropped as well, never forgotten.
    [Fact]
    public void A_read_that_never_got_its_round_is_dropped_too()
    {
        Replica leader = Replica.Leading();
        leader.Read(7);
        leader.TickAfter(500);
        Assert.Equal([7UL], leader.ReadsDropped);
    }

    // Rounds start anew with a leadership: an answer from the earlier one has its term.
    [Fact]
    public void An_answer_to_a_round_of_an_earlier_leadership_confirms_nothing_in_the_next()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Read(1);
        cluster.Deliver(message => message.Kind == MessageKind.Heartbeat);
        Message[] late = cluster.Drop(message => message.Kind == MessageKind.HeartbeatResponse);
        cluster[1].TickAfter(500);
        cluster.Drop();
        cluster.Elect(1);
        cluster[1].Read(2);
        cluster.Drop();
        foreach (Message answer in late) cluster[1].Receive(answer);
        Assert.Empty(cluster[1].Grants);
        Assert.Equal([1UL], cluster[1].ReadsDropped);
    }

    [Fact]
    public void A_learners_confirmation_does_not_count()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1), Some.Member(2)], [Some.Member(3)]), ConfigurationHalf.Empty);
        Cluster cluster = new(configuration);
        cluster.Elect(1);
        cluster[1].Read(7);
        cluster.Deliver(message => message.To == cluster[3].Id || message.From == cluster[3].Id);
        Assert.Empty(cluster[1].Grants);
        cluster.Deliver();
        Assert.Single(cluster[1].Grants);
    }

    // The confirmation is a promise that the follower's term is durable: an answer of a term that is not waits for it.
    [Fact]
    public void A_follower_confirms_a_round_only_in_a_durable_term()
    {
        Replica follower = Replica.Alone();
        follower.HoldsWrites = true;
        Assert.Empty(follower.Answer(Some.Heartbeat(2, 1, 5, round: 3)));
        follower.PersistOne();
        Assert.Equal("r1>r2 HeartbeatResponse t5 round 3", Assert.Single(follower.TakeSent()).ToString());
    }

    [Fact]
    public void A_confirmation_of_a_round_never_asked_for_stops_the_process()
    {
        Replica leader = Established();
        Assert.Throws<InvariantViolatedException>(() => leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 2)));
    }

    /// <summary>A leader of term 1 whose no-op, entry 1, is committed.</summary>
    private static Replica Established(int voters = 3)
    {
        Replica leader = Replica.Leading(voters);
        for (ulong from = 2; from <= (ulong)voters; from++) leader.Receive(Some.Ack(from, 1, 1, 1));
        Assert.Equal(1UL, leader.Commit);
        return leader;
    }
}
