using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Snapshots;

/// <summary>A snapshot from one host to another, over a network that loses, doubles and reorders, and over restarts of either. bugs.md S5, S6, S7, S9, S10, S11, T2, T4.</summary>
public sealed class SnapshotTransferTests
{
    private static readonly GroupId S1 = new(1);

    [Fact]
    public void A_follower_behind_gets_the_whole_state_and_goes_on_from_there()
    {
        TestNetwork network = TestNetwork.Behind();
        FakeMachine old = network.Two.Machine;
        network.Until(() => network.Two.Machine.Applied.Value == 21);
        Assert.Equal((1L, 1L, 0L, 0L), (network.One.Host.Snapshots.Sent, network.Two.Host.Snapshots.Installed, network.One.Host.Snapshots.Failed, network.Two.Host.Snapshots.Failed));
        Assert.Equal([(S1, 2UL)], network.Two.Machines.Directories);
        Assert.True(old.IsDisposed);
        Assert.True(Assert.Single(network.One.Machine.Checkpoints).IsDisposed);
        Assert.True(Assert.Single(network.Two.Machines.StagedStores).IsDisposed);
        Assert.Equal((2UL, 21UL, 6UL), PointOf(network.Two));
        network.Fill(1, 3);
        network.Pass(200_000);
        Assert.Equal((24UL, 24UL), (network.Two.Group.Commit.Value, network.Two.Machine.Applied.Value));
        Assert.Equal(1, network.CountSent(FrameKind.SnapshotOffer));
    }

    // S10, design §7: first the files, then the record, then the switch, and only then does the old generation go.
    [Fact]
    public void What_is_replaced_goes_last()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        string[] trace = [.. network.Two.Trace.Take().SkipWhile(what => what != "s1 generation 2 is durable").TakeWhile(what => !what.StartsWith("send", StringComparison.Ordinal))];
        Assert.Equal(["s1 generation 2 is durable", "s1/r2 commit point 21", "s1/r2 hard state t6 vote - commit 21", "commit", "s1 generation 1 deleted"], trace);
    }

    [Fact]
    public void The_state_machine_goes_over_only_when_the_commit_point_is_durable()
    {
        TestNetwork network = Staged();
        HostUnderTest two = network.Two;
        FakeMachine old = two.Machine;
        two.Step(); // Accepted, and handed to PERSIST.
        Assert.True(two.Group.IsInstalling);
        two.Apply();
        two.Snapshots();
        Assert.Same(old, two.Machine);
        two.Persist();
        two.Apply();
        Assert.Same(old, two.Machine); // Durable, but STEP does not know yet.
        two.Step();
        two.Apply();
        Assert.NotSame(old, two.Machine);
        Assert.Equal(2, two.Machines.Directories.Count);
        Assert.False(old.IsDisposed);
        two.Snapshots();
        Assert.True(old.IsDisposed);
        Assert.Equal([(S1, 2UL)], two.Machines.Directories);
    }

    [Fact]
    public void A_completion_from_before_a_snapshot_was_accepted_is_not_its_commit_points()
    {
        TestNetwork network = AtLastPiece(out FrameOnItsWay last);
        HostUnderTest two = network.Two;
        FakeMachine old = two.Machine;
        two.Arrive((1UL, Some.Message(MessageKind.Append, 1, 2, 6, 10, 5, 10, Some.Entry(11, 6))));
        two.Step();
        network.Deliver(last);
        two.Snapshots();
        two.Persist(); // Of entry 11; STEP hears of it in the turn in which it accepts the snapshot, and after that.
        two.Step();
        Assert.True(two.Group.IsInstalling);
        two.Apply();
        Assert.Same(old, two.Machine);
        two.Persist();
        two.Step();
        two.Apply();
        Assert.Equal(21UL, two.Machine.Applied.Value);
    }

    // The two ends of a crash in between: the record is the one thing that counts.
    [Theory]
    [InlineData(false, 1UL, 10UL)]
    [InlineData(true, 2UL, 21UL)]
    public void After_a_crash_the_commit_point_says_which_generation_lives(bool isPersisted, ulong generation, ulong applied)
    {
        TestNetwork network = Staged();
        network.Two.Step();
        if (isPersisted) network.Two.Persist();
        network.Two.Restart();
        Assert.Equal([(S1, generation)], network.Two.Machines.Directories);
        Assert.Equal(applied, network.Two.Machine.Applied.Value);
        network.Until(() => network.Two.Machine.Applied.Value == 21);
        network.Fill(1, 1);
        network.Pass(200_000);
        Assert.Equal(22UL, network.Two.Machine.Applied.Value);
    }

    [Fact]
    public void An_offer_is_repeated_until_it_is_taken_up_and_not_any_more()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.Kind == FrameKind.SnapshotOffer;
        network.Until(() => network.CountSent(FrameKind.SnapshotOffer) == 1);
        network.Pass(2_000_000);
        Assert.Equal(5, network.CountSent(FrameKind.SnapshotOffer));
        network.Loses = frame => frame.Kind == FrameKind.SnapshotChunk;
        network.Until(() => network.CountSent(FrameKind.SnapshotFetch) > 0);
        int offers = network.CountSent(FrameKind.SnapshotOffer);
        network.Pass(3_000_000);
        Assert.Equal(offers, network.CountSent(FrameKind.SnapshotOffer));
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal(1, network.One.Host.Snapshots.Sent);
    }

    [Theory]
    [InlineData(FrameKind.SnapshotFetch)]
    [InlineData(FrameKind.SnapshotChunk)]
    public void What_is_lost_is_asked_for_again(FrameKind kind)
    {
        TestNetwork network = TestNetwork.Behind();
        HashSet<string> lost = [];
        network.Loses = frame => frame.Kind == kind && lost.Add(Convert.ToHexString(frame.Body)); // Everything once.
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.True(lost.Count >= 4);
        Assert.Equal((0L, 0L), (network.One.Host.Snapshots.Failed, network.Two.Host.Snapshots.Failed));
    }

    // T4: the news that it is installed is lost; the follower's own acknowledgement does, and the files go in time.
    [Fact]
    public void A_lost_end_costs_the_sender_its_files_for_a_while_and_nothing_else()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.Kind == FrameKind.SnapshotEnd;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        network.Fill(1, 1);
        network.Pass(200_000);
        Assert.Equal(22UL, network.Two.Machine.Applied.Value);
        Assert.False(network.One.Machine.Checkpoints[0].IsDisposed);
        network.Pass(10_000_000);
        Assert.True(network.One.Machine.Checkpoints[0].IsDisposed);
        network.Pass(3_000_000);
        Assert.Single(network.One.Machine.Checkpoints);
    }

    // S7, T2: every piece twice, in any order, with gaps; the staged store refuses anything but the next byte.
    [Fact]
    public void Loss_doubling_and_disorder_change_nothing_of_what_is_installed()
    {
        for (int seed = 1; seed <= 150; seed++)
        {
            Random random = new(seed);
            TestNetwork network = TestNetwork.Behind();
            int lossPercent = random.Next(40);
            int doublePercent = random.Next(60);
            network.Loses = frame => frame.IsSnapshot && random.Next(100) < lossPercent;
            List<FrameOnItsWay> seen = [];
            for (int turn = 0; network.Two.Host.Snapshots.Installed == 0; turn++)
            {
                Assert.True(turn < 200_000, $"seed {seed}: {network.Two.Host.Snapshots}");
                _ = network.One.RunOnce() | network.Two.RunOnce();
                if (network.InFlight.Count > 0 && random.Next(4) > 0)
                {
                    int at = random.Next(network.InFlight.Count);
                    FrameOnItsWay frame = network.InFlight[at];
                    if (frame.IsSnapshot) seen.Add(frame);
                    network.Deliver(at);
                    if (frame.IsSnapshot && random.Next(100) < doublePercent) network.InFlight.Add(seen[random.Next(seen.Count)]);
                }
                else
                {
                    network.After(random.Next(20_000));
                }
            }

            network.Loses = static _ => false;
            network.Fill(1, 1);
            network.Until(() => network.Two.Machine.Applied.Value == 22);
            network.Pass(15_000_000); // Late frames and forgotten transfers: nothing stays behind.
            Assert.Single(network.Two.Machines.Directories);
            Assert.All(network.Two.Machines.StagedStores, store => Assert.True(store.IsDisposed));
            Assert.All(network.One.Machine.Checkpoints, checkpoint => Assert.True(checkpoint.IsDisposed));
        }
    }

    [Fact]
    public void A_sender_gives_up_a_silent_follower_and_tries_again_later()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.IsSnapshot && frame.From == network.Two.Id;
        network.Until(() => network.One.Machine.Checkpoints.Count == 1);
        network.Pass(9_900_000);
        Assert.False(network.One.Machine.Checkpoints[0].IsDisposed);
        network.Pass(150_000);
        Assert.True(network.One.Machine.Checkpoints[0].IsDisposed);
        Assert.Equal(1, network.One.Host.Snapshots.Failed);
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
    }

    [Fact]
    public void A_receiver_gives_up_a_silent_sender_and_leaves_nothing_behind()
    {
        TestNetwork network = TestNetwork.Behind();
        int chunks = 0;
        network.Loses = frame => frame.Kind == FrameKind.SnapshotChunk && ++chunks > 1;
        network.Until(() => chunks > 1);
        Assert.Equal(2, network.Two.Machines.Directories.Count);
        network.One.Kill();
        network.Pass(10_600_000);
        Assert.Equal([(S1, 1UL)], network.Two.Machines.Directories);
        Assert.True(network.Two.Machines.StagedStores[0].IsDisposed);
        Assert.Equal(1, network.Two.Host.Snapshots.Failed);
    }

    // S7: a new process knows nothing of the transfer. It says so, and the next one is another.
    [Fact]
    public void A_sender_that_restarts_ends_the_transfer_at_once_and_begins_another()
    {
        TestNetwork network = HalfWay();
        network.One.Restart();
        network.Loses = static _ => false;
        network.One.Machine.OnBeginFlush = machine => machine.Flush();
        network.Until(() => network.Two.Host.Snapshots.Failed == 1);
        Assert.Equal([(S1, 1UL)], network.Two.Machines.Directories);
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal([(S1, 3UL)], network.Two.Machines.Directories);
        Assert.Equal(network.One.Group.Applied, network.Two.Group.Applied);
    }

    [Fact]
    public void A_receiver_that_restarts_clears_away_what_it_had_and_gets_another()
    {
        TestNetwork network = HalfWay();
        network.Two.Restart();
        Assert.Equal([(S1, 1UL)], network.Two.Machines.Directories);
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal([(S1, 2UL)], network.Two.Machines.Directories);
        Assert.Equal((1L, 1L), (network.One.Host.Snapshots.Failed, network.One.Host.Snapshots.Sent));
    }

    // Nothing else waits for it.
    [Fact]
    public void The_leader_serves_while_a_snapshot_is_on_its_way()
    {
        TestNetwork network = HalfWay();
        network.One.Propose("p");
        network.One.Read("r");
        network.Pass(200_000);
        Assert.Contains("p applied at s1 22/t6: result of 22", network.One.Trace.Events);
        Assert.Contains(network.One.Trace.Events, what => what.StartsWith("r served by s1", StringComparison.Ordinal));
        Assert.Equal(0, network.Two.Host.Snapshots.Installed);
    }

    // A fast writer: the state that was sent must still meet the log when it arrives.
    [Fact]
    public void A_log_is_not_cut_beyond_a_snapshot_that_is_on_its_way()
    {
        TestNetwork network = HalfWay();
        for (int i = 0; i < 10; i++)
        {
            network.Fill(1, 10);
            network.Pass(100_000);
        }

        Assert.Equal((21UL, 121UL), (network.One.Group.SnapshotIndex.Value, network.One.Group.LastIndex.Value));
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        network.Pass(500_000);
        Assert.Equal(121UL, network.Two.Machine.Applied.Value);
        Assert.Single(network.One.Machine.Checkpoints);
        Assert.Equal(121UL, network.One.Group.SnapshotIndex.Value);
    }

    [Fact]
    public void A_log_that_must_give_up_room_is_cut_all_the_same_and_another_snapshot_follows()
    {
        TestNetwork network = HalfWay();
        network.Fill(1, 10);
        network.One.Log.Usage = network.One.Log.Usage with { Bytes = network.One.Log.Usage.BudgetBytes };
        network.One.Log.PinningOldest = [S1];
        network.Pass(1_200_000); // A flush a second at most.
        Assert.Equal(31UL, network.One.Group.SnapshotIndex.Value);
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 2);
        Assert.Equal(31UL, network.Two.Machine.Applied.Value);
    }

    // A checkpoint costs files and one of few slots: nobody who is not there gets one.
    [Fact]
    public void A_follower_that_is_not_heard_gets_no_snapshot()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.IsSnapshot;
        network.Until(() => network.One.Machine.Checkpoints.Count == 1);
        network.Two.Kill();
        network.Pass(60_000_000);
        Assert.Single(network.One.Machine.Checkpoints);
        network.Two.Restart();
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
    }

    // Design §3.5, §7: the commit point decides which store is live, whatever becomes of the one before.
    [Fact]
    public void A_store_found_damaged_while_its_successor_is_installed_leaves_nothing_behind()
    {
        TestNetwork network = Staged();
        HostUnderTest two = network.Two;
        FakeMachine old = two.Machine;
        two.Step(); // Accepted, and handed to PERSIST.
        two.OnStep(now => two.Host.Worker.ReadAsIs(now, S1, new RottenReader()));
        two.Step();
        two.Apply();
        two.Step();
        Assert.Equal("block 7", Assert.Single(two.Host.Worker.Stopped).Reason);
        network.Settle();
        Assert.Equal([(S1, 2UL)], two.Machines.Directories);
        Assert.True(old.IsDisposed);
        Assert.Equal((1L, 1L), (two.Host.Snapshots.Installed, network.One.Host.Snapshots.Sent));
        Assert.EndsWith("0 coming in", two.Host.Snapshots.ToString(), StringComparison.Ordinal);
        two.Restart();
        Assert.Empty(two.Host.Worker.Stopped);
        Assert.Equal(21UL, two.Machine.Applied.Value);
    }

    // Who lives here next stages its first store while the stopped one is still being cleared away.
    [Fact]
    public void The_generation_of_a_store_that_could_not_be_opened_is_used_up()
    {
        TestNetwork network = new();
        HostUnderTest two = network.Two;
        two.Machines.BeforeOpen = static _ => throw new StoreDamagedException("no manifest");
        two.Restart();
        two.Machines.BeforeOpen = static _ => { };
        two.Arrive((1UL, Some.Message(MessageKind.Removed, 1, 2, 7)));
        two.Step();
        two.Persist();
        two.Step(); // APPLY has been told to close the store, and does not get to it.
        two.Arrive((1UL, Some.Message(MessageKind.Append, 1, 9, 7)));
        two.Step();
        two.Persist();
        two.Step();
        HandedSnapshot.Give(two, 21, 6, senderTerm: 7, to: 9);
        Assert.Contains((S1, 2UL), two.Machines.Directories);
        two.Apply();
        two.Snapshots();
        Assert.Equal([(S1, 2UL)], two.Machines.Directories);
        Assert.False(two.Machines.Opened[S1].IsDisposed);
    }

    // S5: applied state is the same wherever it comes from, but what the replica knows already is thrown away.
    [Fact]
    public void A_snapshot_that_comes_too_late_is_closed_and_deleted_and_ends_the_transfer()
    {
        TestNetwork network = AtLastPiece(out FrameOnItsWay last);
        HostUnderTest two = network.Two;
        FakeMachine live = two.Machine;
        two.Arrive((1UL, Some.Message(MessageKind.Append, 1, 2, 6, 10, 5, 21, [.. Enumerable.Range(11, 11).Select(index => Some.Entry((ulong)index, 6))])));
        network.Settle();
        Assert.Equal(21UL, live.Applied.Value);
        network.Deliver(last);
        network.Settle();
        Assert.Same(live, two.Machine);
        FakeMachine staged = two.Machines.Opened[S1];
        Assert.NotSame(live, staged);
        Assert.True(staged.IsDisposed);
        Assert.False(live.IsDisposed);
        Assert.Equal([(S1, 1UL)], two.Machines.Directories);
        Assert.Equal((0L, 0L, 1L), (two.Host.Snapshots.Installed, two.Host.Snapshots.Failed, network.One.Host.Snapshots.Sent));
        Assert.True(network.One.Machine.Checkpoints[0].IsDisposed);
    }

    // A10: what is being applied is applied to the store that is there.
    [Fact]
    public void A_snapshot_waits_for_what_is_being_applied_and_is_installed_after_it()
    {
        TestNetwork network = AtLastPiece(out FrameOnItsWay last);
        HostUnderTest two = network.Two;
        FakeMachine old = two.Machine;
        two.Arrive((1UL, Some.Message(MessageKind.Append, 1, 2, 6, 10, 5, 12, Some.Entry(11, 6), Some.Entry(12, 6))));
        two.Step();
        two.Persist();
        two.Step(); // 11 and 12 are on their way to APPLY.
        network.Deliver(last);
        two.Snapshots();
        two.Step();
        Assert.False(two.Group.IsInstalling);
        two.Apply();
        two.Step();
        Assert.True(two.Group.IsInstalling);
        Assert.Equal(12UL, old.Applied.Value);
        network.Settle();
        Assert.Equal((21UL, 21UL, 1L), (two.Group.Applied.Value, two.Machine.Applied.Value, two.Host.Snapshots.Installed));
        Assert.True(old.IsDisposed);
    }

    // A proposal below the snapshot may be in it or not: nobody here can say any more, so nobody does (design §3.3).
    [Fact]
    public void Proposals_below_the_snapshot_are_forgotten_and_those_above_it_wait_for_their_index()
    {
        TestNetwork network = Deposed();
        HostUnderTest two = network.Two;
        HandedSnapshot.Give(two, index: 14, term: 7);
        network.Settle();
        Assert.Equal((14UL, 14UL, 14UL), (two.Group.Applied.Value, two.Group.LastIndex.Value, two.Machine.Applied.Value));
        Assert.DoesNotContain(two.Trace.Take(), what => what.StartsWith("p12", StringComparison.Ordinal) || what.StartsWith("p15", StringComparison.Ordinal));
        // Of the one at 15 another term's entry is the proof.
        two.Arrive((1UL, Some.Message(MessageKind.Append, 1, 2, 7, 14, 7, 16, Some.Entry(15, 7), Some.Entry(16, 7))));
        network.Settle();
        Assert.Equal(["p15 superseded"], two.Trace.Take().Where(what => what[0] == 'p'));
    }

    // A10: a read whose index is in the snapshot is served by it, once.
    [Fact]
    public void Reads_that_wait_for_their_index_are_served_by_the_snapshot_that_holds_it()
    {
        TestNetwork network = Deposed(beforeTheEnd: two =>
        {
            // The other two have 12, this disk has not: it is committed, and not applied.
            foreach (ulong other in new ulong[] { 1, 3 }) two.Arrive((1UL, Some.Message(MessageKind.AppendResponse, other, 2, 6, index: 12)));
            two.Read("r");
            two.Step();
            two.Arrive((1UL, Some.Message(MessageKind.HeartbeatResponse, 3, 2, 6) with { ReadRound = 2 }));
            two.Step();
            two.Apply();
        });
        HostUnderTest two = network.Two;
        HandedSnapshot.Give(two, index: 14, term: 6);
        two.Step();
        Assert.True(two.Group.IsInstalling);
        two.Apply();
        Assert.DoesNotContain(two.Trace.Take(), what => what[0] == 'r');
        network.Settle();
        Assert.Equal(["r served by s1 at 14/t6"], two.Trace.Take().Where(what => what[0] == 'r'));
        Assert.Equal(15UL, two.Group.LastIndex.Value);
    }

    /// <summary>A transfer that has got its first piece and no more.</summary>
    private static TestNetwork HalfWay()
    {
        TestNetwork network = TestNetwork.Behind();
        int chunks = 0;
        network.Loses = frame => frame.Kind == FrameKind.SnapshotChunk && ++chunks > 1;
        network.Until(() => chunks > 1);
        return network;
    }

    /// <summary>A transfer of which only the last piece, <paramref name="last"/>, has not arrived.</summary>
    private static TestNetwork AtLastPiece(out FrameOnItsWay last)
    {
        TestNetwork network = TestNetwork.Behind();
        FrameOnItsWay? held = null;
        network.Loses = frame =>
        {
            if (frame.Kind != FrameKind.SnapshotChunk || SnapshotChunk.Read(frame.Body).File != 3) return false;
            held = frame;
            return true;
        };
        network.Until(() => held is not null);
        last = held!;
        return network;
    }

    /// <summary>The last piece has just been written, synced and opened; node 2's STEP has not been told.</summary>
    private static TestNetwork Staged()
    {
        TestNetwork network = TestNetwork.Behind();
        for (int budget = 100_000; network.Two.Machines.Opened[S1].Applied.Value != 21; budget--)
        {
            Assert.True(budget > 0);
            if (network.One.RunOnce() || network.Two.Step() || network.Two.Persist() || network.Two.Apply() || network.Two.Snapshots()) continue;
            if (network.InFlight.Count > 0) network.Deliver(0);
            else network.After(50_000);
        }

        return network;
    }

    /// <summary>Node 2 led in term 6, with proposals p12 … p15 that nobody has acknowledged and its disk does not have; now node 1 leads, in term 7.</summary>
    private static TestNetwork Deposed(Action<HostUnderTest>? beforeTheEnd = null)
    {
        TestNetwork network = new() { Loses = static _ => true };
        network.One.Kill();
        HostUnderTest two = network.Two;
        network.Settle();
        network.After(1_100_000);
        network.Settle();
        two.Arrive((1UL, Some.Message(MessageKind.PreVoteResponse, 3, 2, 6)));
        network.Settle();
        two.Arrive((1UL, Some.Message(MessageKind.VoteResponse, 3, 2, 6)));
        network.Settle();
        two.Arrive((1UL, Some.Message(MessageKind.AppendResponse, 3, 2, 6, index: 11)));
        network.Settle();
        Assert.Equal((Role.Leader, 11UL), (two.Group.Role, two.Machine.Applied.Value));
        foreach (string name in new[] { "p12", "p13", "p14", "p15" }) two.Propose(name);
        two.Step();
        beforeTheEnd?.Invoke(two);
        two.Arrive((1UL, Some.Message(MessageKind.Heartbeat, 1, 2, 7)));
        two.Step();
        Assert.Equal((Role.Follower, 15UL, 11UL), (two.Group.Role, two.Group.LastIndex.Value, two.Machine.Applied.Value));
        two.Trace.Take();
        return network;
    }

    private static (ulong Generation, ulong Index, ulong Term) PointOf(HostUnderTest host) =>
        host.Log.DurablePoint(S1) is { } point ? (point.Generation, point.Index.Value, point.Term.Value) : default;

    private sealed class RottenReader : IReadOwner
    {
        public void Serve(IStateMachine machine, GroupId group, Term term, bool isByLease) => throw new StoreDamagedException("block 7");

        public bool IsWanted => true;

        public void OnDropped() { }
    }
}
