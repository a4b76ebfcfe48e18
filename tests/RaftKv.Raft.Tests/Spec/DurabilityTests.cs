namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper figure 2: persistent state is "updated on stable storage before responding to RPCs". bugs.md E1, L5, L6, L10, L11, D4.</summary>
public sealed class DurabilityTests
{
    [Fact]
    public void A_granted_vote_waits_for_the_disk()
    {
        Replica voter = Held(Replica.Alone());
        Assert.Empty(voter.Answer(Some.Vote(2, 1, 5, 0, 0)));
        Assert.Equal("r1>r2 VoteResponse t5 granted", Assert.Single(voter.WaitingForDisk).ToString());
        voter.PersistOne();
        Assert.Equal(new HardState(new Term(5), new ReplicaId(2), default), voter.Disk.HardState);
        Assert.Single(voter.TakeSent());
    }

    [Fact]
    public void An_acknowledgement_waits_for_the_disk()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Heartbeat(2, 1, 5));
        Held(follower);
        Assert.Empty(follower.Answer(Some.Append(2, 1, 5, 0, 0, 0, 5, 5)));
        follower.PersistOne();
        Assert.Equal(2UL, follower.Disk.Last.Value);
        Assert.Equal("r1>r2 AppendResponse t5 match 2", Assert.Single(follower.TakeSent()).ToString());
    }

    // D4: the second acknowledgement needs no write of its own, but the entries it vouches for may still be on their way.
    [Fact]
    public void The_acknowledgement_of_a_duplicate_waits_for_the_write_of_the_original()
    {
        Replica follower = Held(Replica.Alone(3, Disk.Of(term: 5)));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5, 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5, 5));
        Assert.Empty(follower.TakeSent());
        Assert.Equal(2, follower.WaitingForDisk.Count);
        follower.PersistOne();
        Assert.Single(follower.TakeSent());
    }

    [Fact]
    public void A_rejected_append_promises_nothing_and_leaves_at_once()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        Held(follower);
        Assert.True(Assert.Single(follower.Answer(Some.Append(2, 1, 5, 7, 5, 0, 5))).Rejected);
    }

    // The term of an answer is a promise too: never to go back below it.
    [Fact]
    public void Nothing_of_a_new_term_leaves_before_the_term_is_durable()
    {
        Message[] raising = [Some.Heartbeat(2, 1, 6), Some.Append(2, 1, 6, 9, 6, 0), Some.Vote(2, 1, 6, 0, 0)];
        foreach (Message message in raising)
        {
            Replica replica = Held(Replica.Alone(3, Disk.Of(5, 0, 0, 5)));
            Assert.Empty(replica.Answer(message));
            Assert.Empty(replica.Answer(Some.Heartbeat(3, 1, 5))); // Nor the news of it, to the old leader.
            Assert.Equal(2, replica.WaitingForDisk.Count);
            replica.PersistAll();
            Assert.All(replica.TakeSent(), answer => Assert.Equal(6UL, answer.Term.Value));
        }
    }

    [Fact]
    public void A_candidate_asks_for_votes_when_its_own_is_durable()
    {
        Replica candidate = Held(Replica.Alone());
        candidate.Campaign();
        Assert.Equal(Role.Candidate, candidate.Group.Role);
        Assert.DoesNotContain(candidate.TakeSent(), message => message.Kind == MessageKind.Vote);
        candidate.PersistOne();
        Assert.Equal(new HardState(new Term(1), new ReplicaId(1), default), candidate.Disk.HardState);
        Assert.Equal(2, candidate.TakeSent().Count(message => message.Kind == MessageKind.Vote));
    }

    // Votes may overtake the completion of the candidate's own write.
    [Fact]
    public void A_candidate_waits_for_its_own_durable_vote_even_if_everybody_else_has_voted()
    {
        Replica candidate = Held(Replica.Alone());
        candidate.Campaign();
        candidate.Receive(Some.VoteResponse(2, 1, 1));
        candidate.Receive(Some.VoteResponse(3, 1, 1));
        Assert.Equal(Role.Candidate, candidate.Group.Role);
        candidate.PersistOne();
        Assert.Equal(Role.Leader, candidate.Group.Role);
    }

    // E13: the completion of a candidacy that is over.
    [Fact]
    public void A_late_completion_of_an_earlier_candidacy_is_no_vote_in_the_next()
    {
        Replica candidate = Held(Replica.Alone());
        candidate.Campaign();
        candidate.Campaign();
        Assert.Equal(2UL, candidate.Term);
        candidate.Receive(Some.VoteResponse(2, 1, 2));
        candidate.Receive(Some.VoteResponse(3, 1, 2));
        candidate.PersistOne();
        Assert.Equal(1UL, candidate.Disk.HardState.Term.Value);
        Assert.Equal(Role.Candidate, candidate.Group.Role);
        candidate.PersistAll();
        Assert.Equal(2UL, candidate.Disk.HardState.Term.Value);
        Assert.Equal(Role.Leader, candidate.Group.Role);
    }

    [Fact]
    public void A_late_completion_after_stepping_down_elects_nobody()
    {
        Replica candidate = Held(Replica.Alone());
        candidate.Campaign();
        candidate.Receive(Some.VoteResponse(2, 1, 1));
        candidate.Receive(Some.Heartbeat(3, 1, 1));
        candidate.PersistAll();
        Assert.Equal(Role.Follower, candidate.Group.Role);
        Assert.Equal(new ReplicaId(3), candidate.Group.Leader);
    }

    // L5: with one voter there is nobody else to hold the entry.
    [Fact]
    public void A_single_voter_commits_and_applies_only_what_is_on_its_disk()
    {
        Replica leader = Replica.Alone(voters: 1);
        leader.TimeOut();
        Held(leader);
        leader.Propose("x");
        Assert.Equal(1UL, leader.Commit);
        Assert.Single(leader.StateMachine);
        leader.PersistOne();
        Assert.Equal(2UL, leader.Commit);
        Assert.Equal(2, leader.StateMachine.Count);
    }

    // L6; thesis §10.2.1: the leader writes in parallel, and counts itself when the write is complete.
    [Fact]
    public void A_leader_counts_itself_only_for_what_is_on_its_disk()
    {
        Replica leader = Held(Replica.Leading());
        leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 1, 2));
        Assert.Equal(1UL, leader.Commit); // The no-op is on both disks; "x" is on r2's alone.
        leader.PersistOne();
        Assert.Equal(2UL, leader.Commit);
    }

    // Thesis §10.2.1: "the leader may even commit an entry before it has been written to its own disk".
    [Fact]
    public void A_majority_of_others_commits_what_the_leader_has_not_written_but_the_leader_does_not_apply_it()
    {
        Replica leader = Held(Replica.Leading());
        leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 1, 2));
        leader.Receive(Some.Ack(3, 1, 1, 2));
        Assert.Equal(2UL, leader.Commit);
        Assert.Single(leader.StateMachine);
        leader.PersistOne();
        Assert.Equal(2, leader.StateMachine.Count);
    }

    [Fact]
    public void A_leaders_appends_leave_while_its_own_write_is_in_flight()
    {
        Replica leader = Replica.Leading();
        leader.Receive(Some.Ack(2, 1, 1, 1));
        Held(leader);
        leader.TakeSent();
        leader.Propose("x");
        Assert.Equal(1, leader.PendingWrites);
        Assert.Contains(leader.TakeSent(), message => message.ToString() == "r1>r2 Append t1 after 1/t1 commit 1 [2/t1]");
    }

    // L10: the ABA race. Three writes in flight: entries, their replacement, and a later one; completions come in order, late.
    [Fact]
    public void A_late_completion_does_not_pass_off_replaced_entries_as_durable()
    {
        Replica follower = Held(Replica.Alone(3, Disk.Of(term: 5)));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5, 5, 5));
        follower.Receive(Some.Append(3, 1, 6, 1, 5, 0, 6, 6));
        Assert.Equal("5 6 6", follower.LogTerms);
        follower.PersistOne();
        Assert.Equal(1UL, follower.Group.DurableIndex.Value); // Entries 2 and 3 on disk are of term 5, and not these.
        follower.PersistOne();
        Assert.Equal(3UL, follower.Group.DurableIndex.Value);
        Assert.Equal([new Term(5), new Term(6), new Term(6)], follower.Disk.Entries.Select(entry => entry.Term));
    }

    // L10 with effect: the replaced entries' completion comes while the replacement is committed elsewhere.
    [Fact]
    public void A_replaced_entry_is_not_applied_on_the_completion_of_the_one_it_replaced()
    {
        Replica follower = Held(Replica.Alone(3, Disk.Of(term: 5)));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5, 5, 5));
        follower.Receive(Some.Append(3, 1, 6, 0, 0, 3, 6, 6, 6));
        follower.PersistOne();
        Assert.Empty(follower.StateMachine);
        follower.PersistOne();
        Assert.Equal(3, follower.StateMachine.Count);
        Assert.All(follower.StateMachine, entry => Assert.Equal(6UL, entry.Term.Value));
    }

    // L10 in a leader: it is elected with replaced entries still on their way to the disk.
    [Fact]
    public void A_leader_does_not_count_itself_on_the_completion_of_entries_that_were_replaced()
    {
        Replica replica = Replica.Alone(3, Disk.Of(term: 5));
        Held(replica);
        replica.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5, 5, 5, 5));
        replica.Receive(Some.Append(3, 1, 6, 0, 0, 0, 6));
        Assert.Equal(2, replica.PendingWrites);
        replica.PersistOne();
        Assert.Equal(0UL, replica.Group.DurableIndex.Value);
        Assert.Equal(4UL, replica.Disk.Last.Value);
        replica.PersistOne();
        Assert.Equal(1UL, replica.Group.DurableIndex.Value);
        Assert.Equal(1UL, replica.Disk.Last.Value);
    }

    // A commit index counts in the term of the leader that told it. If the store kept what it made applied and the term were lost in a crash, a
    // leader of an older term, whose log may be another one, would be told that it matches.
    [Fact]
    public void Nothing_is_applied_on_the_word_of_a_term_that_is_not_durable()
    {
        Replica follower = Held(Replica.Alone(5, Disk.Of(6, 0, 0, 1, 1, 1)));
        follower.Receive(Some.Append(3, 1, 7, 3, 1, 3));
        Assert.Equal(3UL, follower.Commit);
        Assert.Empty(follower.StateMachine);
        follower.Restart();
        Assert.Equal("r1>r2 AppendResponse t6 match 1", AnswerTo(Some.Append(2, 1, 6, 1, 1, 1)).ToString());
        follower.Receive(Some.Append(3, 1, 7, 1, 1, 1));
        follower.PersistOne();
        Assert.Single(follower.StateMachine);

        Message AnswerTo(Message append)
        {
            follower.Receive(append);
            follower.PersistAll();
            return Assert.Single(follower.TakeSent());
        }
    }

    // L11: the write of an append completes after the term has changed. What leaves is of the term it was promised in.
    [Fact]
    public void An_acknowledgement_keeps_the_term_in_which_it_was_made()
    {
        Replica follower = Held(Replica.Alone(3, Disk.Of(term: 5)));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5));
        follower.Receive(Some.Heartbeat(3, 1, 6));
        follower.PersistOne();
        Message ack = Assert.Single(follower.TakeSent());
        Assert.Equal("r1>r2 AppendResponse t5 match 1", ack.ToString());
    }

    [Fact]
    public void Completions_out_of_order_or_unasked_for_stop_the_process()
    {
        Replica replica = Held(Replica.Alone());
        Assert.Throws<InvariantViolatedException>(() => replica.Group.OnPersisted(replica.Clock.Micros, 1));
        replica = Held(Replica.Alone());
        replica.Receive(Some.Vote(2, 1, 5, 0, 0));
        replica.Receive(Some.Vote(2, 1, 6, 0, 0));
        Assert.Throws<InvariantViolatedException>(() => replica.Group.OnPersisted(replica.Clock.Micros, 2));
    }

    private static Replica Held(Replica replica)
    {
        replica.HoldsWrites = true;
        return replica;
    }
}
