namespace RaftKv.Raft.Tests.Spec;

/// <summary>
/// Raft paper §7, the receiver of a snapshot: "if existing log entry has same index and term as snapshot's last included entry, retain log
/// entries following it"; else "discard the entire log". Design §7, "one commit point". bugs.md E14, S1, S2, S5, S6, S8, S9, S14, S16.
/// </summary>
public sealed class InstallTests
{
    /// <summary>The log of <see cref="Follower"/>: entries 1 … 4 of terms 1 1 2 2, of which 1 is committed and applied.</summary>
    private static readonly ulong[] Terms = [1, 1, 2, 2];

    [Fact]
    public void A_snapshot_takes_the_place_of_a_log_that_ends_before_it()
    {
        Replica follower = Follower();
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3, 3)));
        Assert.Equal((6UL, 6UL, 6UL, 6UL), (follower.Group.SnapshotIndex.Value, follower.Last, follower.Commit, follower.Group.DurableIndex.Value));
        Assert.Equal(new Term(3), follower.Group.TermAt(new LogIndex(6)));
        Assert.Null(follower.Group.TermAt(new LogIndex(5)));
        Assert.Null(follower.Group.TermAt(new LogIndex(7)));
        Assert.Equal((6UL, 6, false), (follower.Group.Applied.Value, follower.StateMachine.Count, follower.Group.IsInstalling));
        Assert.Equal((new LogIndex(6), new Term(3), 0), (follower.Disk.SnapshotIndex, follower.Disk.SnapshotTerm, follower.Disk.Entries.Count));
        Assert.Equal(6UL, follower.Disk.HardState.Commit.Value);
    }

    // Found by review: the disk does not hold the snapshot's last entry, but memory does, and a configuration behind it.
    [Fact]
    public void A_configuration_behind_the_snapshot_that_memory_keeps_stays_in_force()
    {
        Replica follower = Follower();
        Configuration four = Some.Voters(4);
        Entry change = new(new LogIndex(6), new Term(5), EntryKind.Configuration, 0, 0, 0, four.ToBytes());
        Message append = new()
        {
            Kind = MessageKind.Append,
            From = new ReplicaId(2),
            To = follower.Id,
            Term = new Term(5),
            Index = new LogIndex(4),
            LogTerm = new Term(2),
            Entries = new[] { Some.Entry(5, 5), change },
        };
        follower.Group.Step(follower.Clock.Micros, append); // No turn of the host in between: nothing was handed out to be written.
        Assert.Equal(InstallStatus.Accepted, follower.Group.TryInstall(follower.Clock.Micros, new SnapshotHead(new Term(5), new LogIndex(5), new Term(5), Some.Voters(3))));
        Assert.Equal((6UL, four), (follower.Last, follower.Group.Configuration));
    }

    // S1: a conflicting log may not stay under an installed snapshot.
    [Theory]
    [InlineData(1, 1, 3)] // Another term at the snapshot's last index.
    [InlineData(1, 1, 2, 3)]
    [InlineData(1, 1, 2, 2, 2)] // The log ends before it.
    public void A_log_that_does_not_hold_the_snapshots_last_entry_is_emptied(params int[] terms)
    {
        Replica follower = Follower();
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, [.. terms.Select(term => (ulong)term)])));
        Assert.Equal((ulong)terms.Length, follower.Last);
        Assert.Equal("", follower.LogTerms);
        Assert.Empty(follower.Disk.Entries);
        Assert.Equal(new Term((ulong)terms[^1]), follower.Group.TermAt(follower.Group.LastIndex));
    }

    // Paper §7: what follows may have been acknowledged, and so be committed.
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_log_that_holds_the_snapshots_last_entry_keeps_what_follows(int index)
    {
        Replica follower = Follower();
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, Terms.AsSpan(0, index))));
        Assert.Equal((4UL, 4UL, (ulong)index), (follower.Last, follower.Group.DurableIndex.Value, follower.Commit));
        Assert.Equal(string.Join(' ', Terms[index..]), follower.LogTerms);
        Assert.Equal(Terms[index..], follower.Disk.Entries.Select(entry => entry.Term.Value));
        follower.Restart();
        Assert.Equal(string.Join(' ', Terms[index..]), follower.LogTerms);
        Assert.Equal(index, follower.StateMachine.Count);
    }

    // S5: the older one never takes the place of the newer one, and nothing is applied twice.
    [Fact]
    public void A_snapshot_of_what_is_committed_already_is_stale_and_changes_nothing()
    {
        Replica follower = Follower();
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 3));
        Assert.Equal(3, follower.StateMachine.Count);
        follower.HoldsWrites = true;
        foreach (int index in new[] { 1, 2, 3 }) Assert.Equal(InstallStatus.Stale, follower.Install(Some.Snapshot(5, Terms.AsSpan(0, index))));
        Assert.Equal((0, 0UL, "1 1 2 2"), (follower.PendingWrites, follower.Group.SnapshotIndex.Value, follower.LogTerms));
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, Terms)));
        follower.PersistAll();
        Assert.Equal(InstallStatus.Stale, follower.Install(Some.Snapshot(5, Terms)));
        Assert.Equal(InstallStatus.Stale, follower.Install(Some.Snapshot(5, Terms.AsSpan(0, 2))));
        Assert.Equal(4, follower.StateMachine.Count);
    }

    // S9: two snapshots in short time.
    [Fact]
    public void A_second_snapshot_waits_until_the_first_one_is_installed()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.HoldsApply = true;
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3)));
        Snapshot newer = Some.Snapshot(5, 1, 1, 2, 2, 3, 3, 3);
        Assert.Equal(InstallStatus.Busy, follower.Install(newer));
        follower.PersistAll();
        Assert.Equal(InstallStatus.Busy, follower.Install(newer));
        follower.ApplyAll();
        Assert.Equal((5UL, 5), (follower.Group.Applied.Value, follower.StateMachine.Count));
        Assert.Equal(InstallStatus.Accepted, follower.Install(newer));
        follower.PersistAll();
        follower.ApplyAll();
        Assert.Equal((7UL, 7), (follower.Group.Applied.Value, follower.StateMachine.Count));
    }

    // S5, A10: what is being applied to the old store is applied to the old store.
    [Fact]
    public void A_snapshot_waits_while_entries_are_being_applied()
    {
        Replica follower = Follower();
        follower.HoldsApply = true;
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 2));
        Snapshot snapshot = Some.Snapshot(5, 1, 1, 2, 2, 3);
        Assert.Equal(InstallStatus.Busy, follower.Install(snapshot));
        Assert.Equal((2UL, 0UL), (follower.Commit, follower.Group.SnapshotIndex.Value));
        follower.ApplyAll();
        Assert.Equal(InstallStatus.Accepted, follower.Install(snapshot));
        follower.ApplyAll();
        Assert.Equal(5, follower.StateMachine.Count);
    }

    [Fact]
    public void The_acknowledgement_waits_for_the_commit_point()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.TakeSent();
        follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        Assert.Empty(follower.TakeSent());
        Assert.Equal(0UL, follower.Disk.SnapshotIndex.Value);
        follower.PersistOne();
        Assert.Equal("r1>r2 AppendResponse t5 match 5", Assert.Single(follower.TakeSent()).ToString());
        Assert.Equal(5UL, follower.Disk.SnapshotIndex.Value);
    }

    // S10: the old store stays the live one until the record that names the new one is durable.
    [Fact]
    public void The_state_machine_goes_over_only_when_the_commit_point_is_durable()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        Assert.True(follower.Group.IsInstalling);
        Assert.Equal((1UL, 1), (follower.Group.Applied.Value, follower.StateMachine.Count));
        follower.PersistOne();
        Assert.False(follower.Group.IsInstalling);
        Assert.Equal((5UL, 5), (follower.Group.Applied.Value, follower.StateMachine.Count));
    }

    // S2, S8, S16: appends go on behind it, whatever was there before.
    [Fact]
    public void Appends_go_on_right_after_an_install()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.TakeSent();
        follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        follower.Receive(Some.Append(2, 1, 5, 5, 3, 7, 5, 5));
        Assert.Equal((7UL, 7UL, 5UL), (follower.Last, follower.Commit, follower.Group.DurableIndex.Value));
        Assert.Empty(follower.TakeSent());
        follower.PersistOne();
        Assert.Equal(["r1>r2 AppendResponse t5 match 5"], follower.TakeSent().Select(message => message.ToString()));
        Assert.Equal(5, follower.StateMachine.Count);
        follower.PersistOne();
        Assert.Equal(["r1>r2 AppendResponse t5 match 7"], follower.TakeSent().Select(message => message.ToString()));
        Assert.Equal(7, follower.StateMachine.Count);
        follower.Restart();
        Assert.Equal(("5 5", 7UL), (follower.LogTerms, follower.Last));
    }

    // T3: an append from before it is answered with where the log stands, never with less.
    [Fact]
    public void An_append_from_before_an_installed_snapshot_is_answered_with_its_index()
    {
        Replica follower = Follower();
        follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        Assert.Equal("r1>r2 AppendResponse t5 match 5", Assert.Single(follower.Answer(Some.Append(2, 1, 5, 1, 1, 1, 1, 2, 2))).ToString());
        Assert.Equal("r1>r2 AppendResponse t5 match 5", Assert.Single(follower.Answer(Some.Append(2, 1, 5, 5, 3, 5))).ToString());
        Assert.Equal("r1>r2 AppendResponse t5 rejected 6 hint 5/t3", Assert.Single(follower.Answer(Some.Append(2, 1, 5, 6, 3, 5))).ToString());
    }

    // The log goes on behind the snapshot, is durable, and its leader commits it: but the state it follows is not there yet.
    [Fact]
    public void Nothing_behind_a_snapshot_is_handed_to_apply_before_its_store_is_there()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, 1, 1)));
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 4));
        Assert.Equal(4UL, follower.Commit);
        Assert.Equal([1UL], follower.StateMachine.Select(entry => entry.Index.Value));
        follower.PersistAll();
        Assert.Equal([1UL, 2UL, 3UL, 4UL], follower.StateMachine.Select(entry => entry.Index.Value));
    }

    [Fact]
    public void Nothing_behind_a_snapshot_is_handed_to_apply_before_the_state_machine_has_gone_over()
    {
        Replica follower = Follower();
        follower.HoldsApply = true;
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, 1, 1)));
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 4));
        Assert.Equal([(new LogIndex(1), new LogIndex(1), false)], follower.ApplyRuns);
        follower.HoldsApply = false;
        follower.ApplyAll();
        Assert.Equal((new LogIndex(3), new LogIndex(4), false), follower.ApplyRuns[^1]);
        Assert.Equal(4, follower.StateMachine.Count);
    }

    // An append and a snapshot come in one turn: what the append's acknowledgement vouches for must still be written.
    [Fact]
    public void An_append_taken_in_the_turn_of_a_snapshot_is_not_forgotten_behind_its_acknowledgement()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 1, 1));
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 1));
        follower.TakeSent();
        follower.ReceiveSilently(Some.Append(2, 1, 5, 1, 1, 1, 1, 2, 2, 3, 3));
        Assert.Equal(InstallStatus.Accepted, follower.InstallSilently(Some.Snapshot(5, 1, 1, 2)));
        follower.Pump();
        foreach (Message ack in follower.TakeSent().Where(message => message is { Kind: MessageKind.AppendResponse, Rejected: false }))
            Assert.True(ack.Index <= follower.Disk.Last, $"{ack}, but the disk ends at {follower.Disk.Last}");
        Assert.Equal(("2 3 3", 6UL), (follower.LogTerms, follower.Group.DurableIndex.Value));
    }

    [Fact]
    public void Entries_replaced_in_the_turn_of_a_snapshot_are_written_behind_its_commit_point()
    {
        Replica follower = Follower();
        follower.ReceiveSilently(Some.Append(3, 1, 6, 2, 1, 1, 4, 4, 4));
        Assert.Equal(InstallStatus.Accepted, follower.InstallSilently(Some.Snapshot(6, 1, 1, 4)));
        follower.Pump();
        Assert.Equal(("4 4", 5UL), (follower.LogTerms, follower.Group.DurableIndex.Value));
        Assert.Equal([4UL, 4UL], follower.Disk.Entries.Select(entry => entry.Term.Value));
        Assert.Equal(3UL, follower.Disk.SnapshotIndex.Value);
    }

    // S6, E16: the sender's term comes first. Else the leader of an older one could be told of a match that is none.
    [Fact]
    public void The_senders_higher_term_is_adopted_before_its_index_counts_as_committed()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.TakeSent();
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(7, 1, 1, 2, 2, 6)));
        Assert.Equal((7UL, ReplicaId.None, ReplicaId.None), (follower.Term, follower.Group.Vote, follower.Group.Leader));
        Assert.Equal(["r1>r2 AppendResponse t7 rejected 4 hint 0/t0"], Waiting(follower, Some.Append(2, 1, 5, 4, 2, 4, 5)));
        follower.PersistOne();
        Assert.Equal(new HardState(new Term(7), default, new LogIndex(5)), follower.Disk.HardState);
        Assert.Equal(5UL, follower.Disk.SnapshotIndex.Value);

        static string[] Waiting(Replica replica, Message message)
        {
            replica.Receive(message);
            return [.. replica.WaitingForDisk.Select(waiting => waiting.ToString())];
        }
    }

    [Fact]
    public void Nobody_is_told_of_a_snapshot_whose_leader_is_not_known()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 1));
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(7, 1, 1, 2)));
        Assert.Empty(follower.TakeSent());
    }

    // Applied state is a prefix of what is committed, from whoever and whenever it comes.
    [Fact]
    public void A_senders_older_term_does_not_matter()
    {
        Replica follower = Follower();
        Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(3, 1, 1, 2, 2, 3)));
        Assert.Equal((5UL, 5UL), (follower.Term, follower.Commit));
    }

    [Fact]
    public void A_leader_installs_nothing()
    {
        Replica leader = Replica.Leading(3, Disk.OfLog(1));
        leader.HoldsWrites = true;
        Assert.Equal(InstallStatus.Stale, leader.Install(Some.Snapshot(leader.Term, 1, 1, 1, 1, 1)));
        Assert.Equal((Role.Leader, 2UL, 0), (leader.Group.Role, leader.Last, leader.PendingWrites));
    }

    [Fact]
    public void A_leader_that_learns_of_a_higher_term_from_a_snapshot_leads_no_more()
    {
        Replica leader = Replica.Leading(3, Disk.OfLog(1));
        leader.Propose("x");
        Assert.True(leader.Read(1));
        Assert.Equal(InstallStatus.Accepted, leader.Install(Some.Snapshot(leader.Term + 2, 1, 3, 3)));
        Assert.Equal((Role.Follower, 4UL, 3UL), (leader.Group.Role, leader.Term, leader.Commit));
        Assert.Equal([1UL], leader.ReadsDropped);
        Assert.Equal(3, leader.StateMachine.Count);
    }

    // E14: the election timer runs at every step of an install.
    [Fact]
    public void A_replica_may_campaign_and_win_at_every_step_of_an_install()
    {
        for (int step = 0; step < 3; step++)
        {
            Replica replica = Follower();
            replica.HoldsWrites = true;
            replica.HoldsApply = true;
            replica.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
            if (step > 0) replica.PersistAll();
            if (step > 1) replica.ApplyAll();
            replica.Campaign();
            Assert.Equal(Role.Candidate, replica.Group.Role);
            Assert.Equal(step > 0 ? 1 : 2, replica.PendingWrites);
            replica.PersistAll();
            Message asked = replica.TakeSent().First(message => message.Kind == MessageKind.Vote);
            Assert.Equal((5UL, 3UL), (asked.Index.Value, asked.LogTerm.Value));
            replica.Receive(Some.VoteResponse(2, 1, replica.Term));
            replica.PersistAll();
            replica.Receive(Some.Ack(2, 1, replica.Term, 6));
            replica.HoldsApply = false;
            replica.ApplyAll();
            Assert.Equal((Role.Leader, 6UL, 6UL, 6), (replica.Group.Role, replica.Commit, replica.Group.Applied.Value, replica.StateMachine.Count));
        }
    }

    [Fact]
    public void A_candidate_may_install()
    {
        Replica candidate = Follower();
        candidate.Campaign();
        Assert.Equal(InstallStatus.Accepted, candidate.Install(Some.Snapshot(5, 1, 1, 2, 2, 3)));
        candidate.Receive(Some.VoteResponse(2, 1, candidate.Term));
        Assert.Equal((Role.Leader, 6UL, 5UL), (candidate.Group.Role, candidate.Last, candidate.Commit));
    }

    // S14: the term changes while a snapshot is being installed.
    [Fact]
    public void A_higher_term_at_every_step_of_an_install_changes_nothing_of_it()
    {
        for (int step = 0; step < 3; step++)
        {
            Replica replica = Follower();
            replica.HoldsWrites = true;
            replica.HoldsApply = true;
            replica.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
            if (step > 0) replica.PersistAll();
            if (step > 1) replica.ApplyAll();
            replica.TakeSent();
            replica.Receive(Some.Append(3, 1, 9, 5, 3, 5, 9));
            replica.PersistAll();
            replica.ApplyAll();
            Assert.Equal((5UL, 6UL, 6UL, 9UL), (replica.Group.Applied.Value, replica.Last, replica.Disk.Last.Value, replica.Disk.HardState.Term.Value));
            Assert.Contains(replica.TakeSent(), message => message.ToString() == "r1>r3 AppendResponse t9 match 6");
        }
    }

    // Votes with an empty log: the snapshot's last entry is the log's (paper §7, §5.4.1).
    [Theory]
    [InlineData(5, 3, true)]
    [InlineData(4, 3, false)]
    [InlineData(9, 2, false)]
    [InlineData(1, 4, true)]
    public void A_log_that_is_a_snapshot_only_votes_by_the_snapshots_last_entry(ulong last, ulong lastTerm, bool granted)
    {
        Replica voter = Replica.Alone(3, Disk.Of(3, 0, 1, 1));
        voter.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        Message answer = Assert.Single(voter.Answer(Some.Vote(3, 1, 9, last, lastTerm)));
        Assert.Equal(!granted, answer.Rejected);
        voter.Restart();
        Assert.Equal(!granted, Assert.Single(voter.Answer(Some.Vote(2, 1, 10, last, lastTerm))).Rejected);
    }

    [Fact]
    public void A_log_that_is_a_snapshot_only_campaigns_with_the_snapshots_last_entry()
    {
        Replica replica = Follower();
        replica.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        replica.Restart();
        replica.TimeOut();
        Assert.All(replica.TakeSent(), message => Assert.Equal((MessageKind.PreVote, 5UL, 3UL), (message.Kind, message.Index.Value, message.LogTerm.Value)));
    }

    // S2, S16: a crash at any point of an install leaves the old state or the new one.
    [Theory]
    [InlineData(0, 1UL, "1 1 2 2")]
    [InlineData(1, 5UL, "")]
    public void A_crash_during_an_install_leaves_the_old_state_or_the_new_one(int written, ulong commit, string log)
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3));
        follower.Restart(written);
        Assert.Equal((commit, log), (follower.Commit, follower.LogTerms));
        Assert.Equal((int)commit, follower.StateMachine.Count);
        follower.HoldsWrites = false;
        follower.PersistAll();
        Message answer = Assert.Single(follower.Answer(Some.Append(2, 1, 5, 5, 3, 6, 5)));
        Assert.Equal(written == 0, answer.Rejected);
        if (written == 0) Assert.Equal(InstallStatus.Accepted, follower.Install(Some.Snapshot(5, 1, 1, 2, 2, 3)));
        follower.Receive(Some.Append(2, 1, 5, 5, 3, 6, 5));
        Assert.Equal(6, follower.StateMachine.Count);
    }

    // L10 with snapshots: completions of writes that the snapshot made void say nothing of what comes behind it.
    [Fact]
    public void A_late_completion_of_entries_that_a_snapshot_replaced_says_nothing_of_what_is_behind_it()
    {
        Replica follower = Follower();
        follower.HoldsWrites = true;
        follower.Receive(Some.Append(3, 1, 6, 4, 2, 1, 6, 6, 6, 6)); // 5 … 8 of term 6, on their way to the disk.
        follower.Install(Some.Snapshot(7, 1, 1, 2, 2, 3, 3));
        follower.Receive(Some.Append(2, 1, 7, 6, 3, 6, 7, 7)); // 7, 8 of term 7.
        follower.PersistOne();
        Assert.Equal(6UL, follower.Group.DurableIndex.Value);
        follower.PersistOne();
        Assert.Equal(6UL, follower.Group.DurableIndex.Value);
        follower.PersistOne();
        Assert.Equal(8UL, follower.Group.DurableIndex.Value);
        Assert.Equal([7UL, 7UL], follower.Disk.Entries.Select(entry => entry.Term.Value));
    }

    /// <summary>r1, which follows r2 in term 5; one entry is committed and applied.</summary>
    private static Replica Follower()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 1, Terms));
        Assert.Single(follower.StateMachine);
        return follower;
    }
}
