namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper §6: "a server always uses the latest configuration in its log, regardless of whether the entry is committed". (bugs.md M2, M3, M9, M10, M12)</summary>
public sealed class ConfigurationInForceTests
{
    private static readonly Configuration Three = Some.Voters(3);

    [Fact]
    public void A_leader_uses_a_configuration_from_its_append_on()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        leader.HoldsWrites = true;
        Assert.Equal(12UL, leader.Change(MemberChange.Promote(new ReplicaId(4))).Index.Value);
        Assert.Equal((Some.Half([1, 2, 3, 4]), Some.Half([1, 2, 3], 4)), (leader.Group.Configuration.Incoming, leader.Group.Configuration.Outgoing));
        Assert.Equal((11UL, 11UL), (leader.Commit, leader.Group.DurableIndex.Value));
        Assert.Equal(Some.Of([1, 2, 3], 4), leader.Group.AppliedConfiguration);
    }

    [Fact]
    public void A_follower_uses_a_configuration_from_its_append_on()
    {
        Replica follower = Replica.Of(Three, 2);
        follower.HoldsWrites = true;
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 10, [Some.ConfigurationEntry(11, 6, Some.Joint([1, 2], [1, 2, 3]))]));
        Assert.Equal(Some.Joint([1, 2], [1, 2, 3]), follower.Group.Configuration);
        Assert.Equal((10UL, 10UL), (follower.Commit, follower.Group.DurableIndex.Value));
        Assert.Equal(Three, follower.Group.AppliedConfiguration);
    }

    // bugs.md M2, etcd 11284: what is in the log and not applied decides nevertheless.
    [Fact]
    public void A_replica_campaigns_by_a_configuration_that_it_has_not_applied()
    {
        Replica follower = Replica.Of(Three, 2);
        follower.HoldsApply = true;
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 11, [Some.ConfigurationEntry(11, 6, Some.Joint([2, 4, 5], [1, 2, 3]))]));
        Assert.Equal((11UL, 10UL), (follower.Commit, follower.Group.Applied.Value));
        follower.TakeSent();
        follower.TimeOut();
        Assert.Equal([1UL, 3UL, 4UL, 5UL], follower.TakeSent().Select(message => message.To.Value));
        follower.Receive(Some.PreVoteResponse(1, 2, 7));
        Assert.Equal(Role.PreCandidate, follower.Group.Role);
        follower.Receive(Some.PreVoteResponse(5, 2, 7));
        Assert.Equal(Role.Candidate, follower.Group.Role);
    }

    // bugs.md M3. Of two configurations that are not committed a truncation takes back one, or both, or none.
    [Theory]
    [InlineData(14, 3)]
    [InlineData(13, 2)]
    [InlineData(12, 2)]
    [InlineData(11, 1)]
    public void A_truncation_takes_back_the_configurations_that_it_truncates(ulong from, int left)
    {
        Configuration[] known = [Three, Some.Joint([1, 2, 4], [1, 2, 3]), Some.Of([1, 2, 4])];
        Replica follower = Replica.Of(Three, 2);
        Entry[] log = [Some.ConfigurationEntry(11, 6, known[1]), Some.Entry(12, 6), Some.ConfigurationEntry(13, 6, known[2]), Some.Entry(14, 6)];
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 10, log));
        Assert.Equal(known[2], follower.Group.Configuration);
        follower.Receive(Some.Append(3, 2, 7, from - 1, from == 11 ? 5UL : 6UL, 10, 7));
        Assert.Equal((from, known[left - 1]), (follower.Last, follower.Group.Configuration));
    }

    [Fact]
    public void A_leader_whose_uncommitted_change_was_overwritten_is_back_in_the_old_configuration()
    {
        Cluster cluster = Cluster.Led(3);
        Replica learner = cluster.AddLearner(1, 4);
        Configuration before = cluster[1].Group.Configuration;
        cluster.Isolate(1);
        cluster[1].Change(MemberChange.Promote(learner.Id), MemberChange.Remove(new ReplicaId(3)));
        Assert.True(cluster[1].Group.Configuration.IsJoint);
        cluster.Elect(2);
        cluster.Heal();
        cluster.Heartbeat(2);
        Assert.Equal(before, cluster[1].Group.Configuration);
        Assert.All(cluster.Replicas, replica => Assert.Equal(before, replica.Group.Configuration));
    }

    // bugs.md M3: a thousand truncations; what is in force is what a scan of the log finds.
    [Fact]
    public void Whatever_is_appended_and_truncated_the_newest_configuration_in_the_log_is_in_force()
    {
        SplitMix random = new(3);
        Replica follower = Replica.Of(Three, 2);
        List<Entry> log = [.. follower.Disk.Store];
        for (ulong term = 6; term < 1_006; term++)
        {
            int keep = Math.Max(10, log.Count - (int)random.Below(4));
            log.RemoveRange(keep, log.Count - keep);
            Message append = Some.Append(1 + 2 * (ulong)random.Below(2), 2, term, (ulong)keep, log[^1].Term.Value, 10, Draw(random, (ulong)keep + 1, term));
            log.AddRange(append.Entries.ToArray());
            follower.Receive(append);
            Assert.Equal(Disk.ConfigurationIn(log, Configuration.Empty), follower.Group.Configuration);
            if (random.Below(10) == 0) follower.Restart();
            Assert.Equal(Disk.ConfigurationIn(log, Configuration.Empty), follower.Group.Configuration);
        }

        static Entry[] Draw(SplitMix random, ulong first, ulong term) =>
            [.. Enumerable.Range(0, 1 + (int)random.Below(3)).Select(i => random.Below(2) == 0
                ? Some.Entry(first + (ulong)i, term)
                : Some.ConfigurationEntry(first + (ulong)i, term, Some.Of([1, 2, 3], 4 + (ulong)random.Below(50))))];
    }

    // bugs.md M10: like any entry, a configuration is on disk before it is acknowledged.
    [Fact]
    public void A_configuration_that_was_not_durable_in_a_crash_was_not_acknowledged_and_is_gone()
    {
        Replica follower = Replica.Of(Three, 2);
        follower.HoldsWrites = true;
        Assert.Empty(follower.Answer(Some.Append(1, 2, 6, 10, 5, 10, [Some.ConfigurationEntry(11, 6, Some.Of([1, 2]))])));
        follower.Restart();
        Assert.Equal(Three, follower.Group.Configuration);
    }

    // bugs.md M12: the log says it, behind a commit point that says what was before; nothing is applied twice or in the wrong order.
    [Theory]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(12)]
    public void A_restarted_replica_has_the_newest_configuration_of_its_log_whatever_it_has_applied(ulong commit)
    {
        Configuration[] known = [Three, Some.Joint([1, 2, 4], [1, 2, 3]), Some.Of([1, 2, 4])];
        Replica follower = Replica.Of(Three, 2);
        follower.Receive(Some.Append(1, 2, 6, 10, 5, commit, [Some.ConfigurationEntry(11, 6, known[1]), Some.ConfigurationEntry(12, 6, known[2])]));
        for (int i = 0; i < 3; i++)
        {
            follower.Restart();
            Assert.Equal((known[2], known[commit - 10]), (follower.Group.Configuration, follower.Group.AppliedConfiguration));
        }
    }

    [Fact]
    public void A_cut_says_who_the_members_were_at_its_index()
    {
        Configuration learning = Some.Of([1, 2, 3], 4);
        Replica follower = Replica.Of(Three, 2);
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 12, [Some.ConfigurationEntry(11, 6, learning), Some.Entry(12, 6), Some.ConfigurationEntry(13, 6, Three)]));
        follower.Flush();
        List<LogStart> starts = [];
        follower.OnReady = ready => starts.AddRange(ready.LogStart is { } start ? [start] : []);
        follower.CompactTo(12);
        Assert.Equal(learning, Assert.Single(starts).Configuration);
        Assert.Equal((Three, learning), (follower.Group.Configuration, follower.Group.AppliedConfiguration));
        follower.Restart();
        Assert.Equal((Three, learning), (follower.Group.Configuration, follower.Group.AppliedConfiguration));
    }

    // Paper §7: a snapshot includes the latest configuration as of its last index.
    [Fact]
    public void A_snapshot_brings_its_configuration_in_the_place_of_those_of_the_log_it_replaces()
    {
        Replica follower = Replica.Of(Three, 2);
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 10, [Some.ConfigurationEntry(11, 6, Some.Of([1, 2]))]));
        Entry[] state = [.. follower.Disk.Store, Some.Entry(11, 7), Some.ConfigurationEntry(12, 7, Some.Of([1, 2, 3], 9))];
        Snapshot snapshot = new(new ReplicaId(3), new SnapshotHead(new Term(7), new LogIndex(12), new Term(7), Some.Of([1, 2, 3], 9)), state);
        Assert.Equal(InstallStatus.Accepted, follower.Install(snapshot));
        Assert.Equal((Some.Of([1, 2, 3], 9), Some.Of([1, 2, 3], 9)), (follower.Group.Configuration, follower.Group.AppliedConfiguration));
        follower.Restart();
        Assert.Equal(Some.Of([1, 2, 3], 9), follower.Group.Configuration);
    }
}
