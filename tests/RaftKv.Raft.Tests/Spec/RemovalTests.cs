namespace RaftKv.Raft.Tests.Spec;

/// <summary>
/// Paper §6 and design §6: a removal takes effect when the entry that leaves the joint configuration is applied, never when it is appended; and a replica goes
/// only on proof from an applied configuration. (bugs.md M6, M7, M13, E11)
/// </summary>
public sealed class RemovalTests
{
    private static readonly ReplicaId Third = new(3);

    // §6: "the leader steps down once it has committed the C-new log entry", and until then manages a group that it is no part of.
    [Fact]
    public void A_leader_that_is_removed_leads_until_the_leave_is_applied()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.HoldsApply = true;
        leader.Change(MemberChange.Remove(new ReplicaId(1)));
        AckBy(leader, 12, 2, 3);
        leader.ApplyAll();
        Assert.Equal((13UL, Some.Of([2, 3])), (leader.Last, leader.Group.Configuration));
        leader.TakeSent();
        leader.TickAfter(100);
        Assert.Equal([2UL, 3UL], leader.TakeSent().Where(message => message.Kind == MessageKind.Heartbeat).Select(message => message.To.Value));
        AckBy(leader, 13, 2, 3);
        Assert.Equal((Role.Leader, 13UL, false), (leader.Group.Role, leader.Commit, leader.IsRemoved)); // Committed is not applied.
        leader.ApplyAll();
        Assert.Equal((Role.Follower, true), (leader.Group.Role, leader.IsRemoved));
        Assert.Equal(RoleChangeReason.NoLongerVoter, leader.Group.RoleChanges.Last().Reason);
    }

    // §6: "it does not count itself in majorities".
    [Fact]
    public void A_leader_that_is_leaving_does_not_count_itself()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Change(MemberChange.Remove(new ReplicaId(1)));
        AckBy(leader, 12, 2, 3);
        Assert.Equal(Some.Of([2, 3]), leader.Group.Configuration);
        AckBy(leader, 13, 2);
        Assert.Equal(12UL, leader.Commit); // r1 and r2 are no majority of {2, 3}.
        AckBy(leader, 13, 3);
        Assert.Equal(13UL, leader.Commit);
    }

    [Fact]
    public void A_leader_that_is_removed_hands_over_to_whoever_has_most()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].Change(MemberChange.Remove(new ReplicaId(1)));
        cluster.Settle(); // The clock stands still: nobody has timed out.
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
        Assert.Equal((7UL, Some.Of([2, 3])), (leader.Term, leader.Group.AppliedConfiguration));
        Assert.Null(cluster.On(1));
    }

    // bugs.md M6: else whoever leaves would not hear of it, or the group would wait for it.
    [Fact]
    public void Whoever_leaves_is_sent_everything_until_the_leave_is_applied_and_nothing_after()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.HoldsApply = true;
        leader.Change(MemberChange.Remove(Third));
        AckBy(leader, 12, 2, 3);
        leader.ApplyAll();
        leader.Propose("x");
        Assert.Contains(leader.TakeSent(), message => message.To == Third && message.Kind == MessageKind.Append && message.Entries.Span[0].Index.Value == 13);
        AckBy(leader, 14, 2);
        leader.TickAfter(100);
        Assert.Contains(leader.TakeSent(), message => message.To == Third);
        leader.ApplyAll();
        leader.Propose("y");
        leader.TickAfter(100);
        Assert.DoesNotContain(leader.TakeSent(), message => message.To == Third);
        Assert.Equal([2UL], leader.Group.Followers.Select(follower => follower.Replica.Value));
    }

    [Fact]
    public void A_follower_is_removed_when_it_applies_the_leave_and_not_when_it_has_it()
    {
        Replica follower = Replica.Of(Some.Voters(3), 3);
        follower.HoldsApply = true;
        follower.Receive(Some.Append(1, 3, 6, 10, 5, 12, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3])), Some.ConfigurationEntry(12, 6, Some.Of([1, 2]))]));
        Assert.Equal((12UL, false), (follower.Commit, follower.IsRemoved));
        follower.ApplyAll();
        Assert.True(follower.IsRemoved);
    }

    [Fact]
    public void The_joint_configuration_removes_nobody()
    {
        Replica follower = Replica.Of(Some.Voters(3), 3);
        follower.Receive(Some.Append(1, 3, 6, 10, 5, 11, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3]))]));
        Assert.Equal((11UL, false), (follower.Group.Applied.Value, follower.IsRemoved));
    }

    [Fact]
    public void A_snapshot_in_which_it_is_no_member_any_more_removes_a_replica()
    {
        Replica follower = Replica.Of(Some.Voters(3), 3);
        Configuration without = new(Some.Half([1, 2]), ConfigurationHalf.Empty, Third);
        Entry[] state = [.. follower.Disk.Store, Some.ConfigurationEntry(11, 6, without)];
        follower.Install(new Snapshot(new ReplicaId(1), new SnapshotHead(new Term(6), new LogIndex(11), new Term(6), without), state));
        Assert.True(follower.IsRemoved);
    }

    // A late acknowledgement, from before the leave was applied.
    [Fact]
    public void What_a_removed_replica_acknowledges_is_not_counted()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(4));
        leader.Change(MemberChange.Remove(Third));
        AckBy(leader, 12, 2, 3, 4);
        AckBy(leader, 13, 2, 4);
        Assert.Equal((13UL, Some.Of([1, 2, 4])), (leader.Group.Applied.Value, leader.Group.AppliedConfiguration));
        leader.Propose("x");
        AckBy(leader, 14, 3);
        Assert.Equal(13UL, leader.Commit);
        AckBy(leader, 14, 2);
        Assert.Equal(14UL, leader.Commit);
    }

    // Already from the append on: r3 is sent the leave, but counts in no majority.
    [Fact]
    public void What_a_leaving_replica_acknowledges_is_not_counted_behind_the_joint_configuration()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(4));
        leader.Change(MemberChange.Remove(Third));
        AckBy(leader, 12, 2, 3, 4);
        AckBy(leader, 13, 3);
        Assert.Equal(12UL, leader.Commit);
    }

    // Design §2: progress is keyed by the replica, not by the node.
    [Fact]
    public void What_a_removed_replica_acknowledges_does_not_count_for_the_next_one_on_its_node()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(4));
        leader.Change(MemberChange.Remove(Third));
        AckBy(leader, 12, 2, 3, 4);
        AckBy(leader, 13, 2, 4);
        leader.Change(MemberChange.AddLearner(new NodeId(3)));
        AckBy(leader, 13, 3);
        FollowerStatus next = Assert.Single(leader.Group.Followers, follower => follower.Replica.Value == 6UL << 16);
        Assert.Equal((0UL, true), (next.Match.Value, next.IsWaiting));
    }

    [Fact]
    public void A_removed_replicas_vote_elects_nobody()
    {
        Replica candidate = Replica.Of(Some.Of([1, 2, 4]));
        candidate.TimeOut();
        candidate.Receive(Some.PreVoteResponse(3, 1, 6));
        Assert.Equal(Role.PreCandidate, candidate.Group.Role);
        candidate.Receive(Some.PreVoteResponse(2, 1, 6));
        candidate.Receive(Some.VoteResponse(3, 1, 6));
        Assert.Equal(Role.Candidate, candidate.Group.Role);
    }

    // "A receiver answers removed only if its applied configuration has allocated an id at or above the sender's and holds the sender in neither half; otherwise it is silent."
    [Theory]
    [InlineData(MessageKind.AmIMember)]
    [InlineData(MessageKind.PreVote)]
    [InlineData(MessageKind.Vote)]
    public void Whoever_asks_or_campaigns_is_told_that_it_is_removed_only_on_an_applied_configuration(MessageKind kind)
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        follower.HoldsApply = true;
        Message question = Some.Message(kind, 3, 2, 6) with { Index = new LogIndex(9), LogTerm = new Term(5) };
        ExpectSilence(); // It is a member.
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 11, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3]))]));
        follower.ApplyAll();
        ExpectSilence(); // Of one half.
        Configuration without = new(Some.Half([1, 2]), ConfigurationHalf.Empty, Third);
        follower.Receive(Some.Append(1, 2, 6, 11, 6, 12, [Some.ConfigurationEntry(12, 6, without)]));
        Assert.Equal(12UL, follower.Commit);
        ExpectSilence(); // Committed, and not applied.
        follower.ApplyAll();
        Message answer = Assert.Single(follower.Answer(question));
        Assert.Equal((MessageKind.Removed, Third), (answer.Kind, answer.To));

        void ExpectSilence() => Assert.DoesNotContain(follower.Answer(question), message => message.Kind == MessageKind.Removed);
    }

    [Fact]
    public void Whoever_may_have_been_added_in_a_later_configuration_is_told_nothing()
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        Assert.Empty(follower.Answer(Some.Message(MessageKind.AmIMember, 6UL << 16, 2, 6)));
        Assert.Empty(follower.Answer(Some.Message(MessageKind.AmIMember, 3, 2, 6)));
    }

    // Its addition was in a term before that of the last entry applied, and would stand before that: it was truncated.
    [Fact]
    public void Whoever_was_to_be_added_in_a_term_that_is_over_is_told_that_it_is_not_to_be()
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        Message question = Some.Message(MessageKind.AmIMember, 6UL << 16, 2, 6);
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 11, 6));
        Assert.Empty(follower.Answer(question)); // It may come yet.
        follower.Receive(Some.Append(3, 2, 7, 11, 6, 12, 7));
        Assert.Equal(MessageKind.Removed, Assert.Single(follower.Answer(question)).Kind);
    }

    [Fact]
    public void A_replica_that_knows_nothing_yet_tells_nobody_anything()
    {
        Replica made = new(6UL << 16, Configuration.Empty, new Disk { IsNew = true });
        Assert.Empty(made.Answer(Some.Message(MessageKind.AmIMember, 3, 6UL << 16, 0)));
    }

    [Fact]
    public void The_replica_that_lives_on_a_removed_ones_node_tells_it_too()
    {
        Replica next = Replica.Of(new Configuration(Some.Half([1, 2, 4]), ConfigurationHalf.Empty), 4);
        next.ReceiveForAnother(Some.Message(MessageKind.AmIMember, 3, 3, 5));
        Assert.Equal((MessageKind.Removed, Third), (Assert.Single(next.TakeSent()) is var told ? told.Kind : default, told.To));
    }

    // A message for a newer replica on its node makes one ask who was never told.
    [Fact]
    public void A_replica_that_hears_of_a_newer_one_on_its_node_asks_whether_it_was_removed()
    {
        Replica old = Replica.Of(Some.Voters(3), 3);
        old.ReceiveForAnother(Some.Heartbeat(1, 6UL << 16, 6));
        Assert.Equal((MessageKind.AmIMember, new ReplicaId(1), 5UL), (Assert.Single(old.TakeSent()) is var asked ? asked.Kind : default, asked.To, old.Term));
        Assert.False(old.IsRemoved);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whoever_is_told_that_it_is_removed_goes_in_whatever_role_and_term(bool isLeader)
    {
        Replica replica = isLeader ? Replica.LeadingOf(Some.Voters(3)) : Replica.Of(Some.Voters(3));
        replica.Receive(Some.Message(MessageKind.Removed, 2, 1, 1));
        Assert.True(replica.IsRemoved);
    }

    // bugs.md E11, M13: it campaigns on and on, and disturbs nobody; and finds out.
    [Fact]
    public void A_replica_removed_while_it_was_cut_off_disturbs_nobody_and_goes_when_it_is_back()
    {
        Cluster cluster = Cluster.Led(4);
        cluster.Isolate(4);
        cluster.Change(1, MemberChange.Remove(new ReplicaId(4)));
        cluster.Run(60_000);
        Assert.Equal((Role.Leader, 6UL), (cluster[1].Group.Role, cluster[1].Term));
        Assert.NotNull(cluster.On(4));
        cluster.Heal();
        cluster.Run(2_500);
        Assert.Equal((Role.Leader, 6UL), (cluster[1].Group.Role, cluster[1].Term));
        Assert.Null(cluster.On(4));
    }

    [Fact]
    public void A_replica_that_died_before_its_tombstone_was_durable_finds_out_again()
    {
        Replica third = Replica.Of(Some.Voters(3), 3);
        third.Receive(Some.Append(1, 3, 6, 10, 5, 12, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3])), Some.ConfigurationEntry(12, 6, Some.Of([1, 2]))]));
        Assert.True(third.IsRemoved);
        third.Restart();
        Assert.Equal((false, Some.Of([1, 2])), (third.IsRemoved, third.Group.AppliedConfiguration));
        third.TimeOut();
        Assert.Equal([MessageKind.AmIMember, MessageKind.AmIMember], third.TakeSent().Select(message => message.Kind));
        third.Receive(Some.Message(MessageKind.Removed, 2, 3, 6));
        Assert.True(third.IsRemoved);
    }

    // Thesis §4.2.2: r3 alone has the leave that removes it, and so the longest log of the old majority.
    [Fact]
    public void A_voter_by_what_is_committed_campaigns_although_a_configuration_in_its_log_is_without_it()
    {
        Replica leaving = Replica.Of(Some.Voters(3), 3);
        leaving.Receive(Some.Append(1, 3, 6, 10, 5, 11, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3])), Some.ConfigurationEntry(12, 6, Some.Of([1, 2]))]));
        Assert.Equal((11UL, false), (leaving.Commit, leaving.Group.Configuration.Contains(leaving.Id)));
        leaving.TimeOut();
        Assert.Equal([1UL, 2UL], leaving.TakeSent().Where(message => message.Kind == MessageKind.PreVote).Select(message => message.To.Value));
        leaving.Receive(Some.PreVoteResponse(1, 3, 7));
        Assert.Equal(Role.PreCandidate, leaving.Group.Role); // Its own vote counts for nothing.
        leaving.Receive(Some.PreVoteResponse(2, 3, 7));
        leaving.Receive(Some.VoteResponse(1, 3, 7));
        leaving.Receive(Some.VoteResponse(2, 3, 7));
        Assert.Equal(Role.Leader, leaving.Group.Role);
        leaving.Receive(Some.Ack(1, 3, 7, 13));
        Assert.Equal(11UL, leaving.Commit);
        leaving.Receive(Some.Ack(2, 3, 7, 13));
        Assert.True(leaving.IsRemoved); // It has led the others out of the change, and itself out of the group.
    }

    [Fact]
    public void Once_the_leave_is_committed_for_all_it_knows_it_campaigns_no_more()
    {
        Replica leaving = Replica.Of(Some.Voters(3), 3);
        leaving.HoldsApply = true;
        leaving.Receive(Some.Append(1, 3, 6, 10, 5, 12, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3])), Some.ConfigurationEntry(12, 6, Some.Of([1, 2]))]));
        leaving.TakeSent();
        leaving.TimeOut();
        Assert.Equal(Role.Follower, leaving.Group.Role);
        Assert.All(leaving.TakeSent(), message => Assert.Equal(MessageKind.AmIMember, message.Kind));
    }

    // All that it knows may have been replaced, one and all.
    [Fact]
    public void A_replica_that_has_had_no_leader_for_long_asks_everybody()
    {
        Replica orphan = Replica.Of(Some.Voters(3));
        List<int> asked = [];
        for (int timeouts = 1; timeouts <= 8; timeouts++)
        {
            orphan.TimeOut();
            if (orphan.TakeAsksEverybody()) asked.Add(timeouts);
        }

        Assert.Equal([4, 8], asked);
        orphan.Receive(Some.Heartbeat(2, 1, 6));
        for (int timeouts = 1; timeouts <= 3; timeouts++) orphan.TimeOut();
        Assert.False(orphan.TakeAsksEverybody());
    }

    [Fact]
    public void A_replica_all_of_whose_members_were_replaced_hears_of_its_removal()
    {
        Cluster cluster = Cluster.Led(3);
        cluster.Isolate(3);
        cluster.AddVoter(1, 4);
        cluster.AddVoter(1, 5);
        cluster[1].Change(MemberChange.Remove(new ReplicaId(1)), MemberChange.Remove(new ReplicaId(2)), MemberChange.Remove(Third));
        cluster.Settle();
        cluster.Run(3_000);
        Assert.Equal([3UL, 6UL << 16, (6UL << 16) + 1], cluster.Replicas.Select(replica => replica.Id.Value).Order());
        cluster.Heal();
        cluster.Run(10_000);
        Assert.Null(cluster.On(3));
    }

    private static void AckBy(Replica leader, ulong index, params ReadOnlySpan<ulong> followers)
    {
        foreach (ulong follower in followers)
            if (leader.Group.Role == Role.Leader) leader.Receive(Some.Ack(follower, leader.Id.Value, leader.Term, index));
    }
}
