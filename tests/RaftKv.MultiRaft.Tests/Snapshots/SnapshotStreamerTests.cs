using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Snapshots;

/// <summary>SNAPSHOT alone: slots, pace, offers that meet each other, and stores that fail at every step. bugs.md S4, S7, S9, S10, S11, S15.</summary>
public sealed class SnapshotStreamerTests
{
    private static readonly GroupId S1 = new(1);

    public static TheoryData<string> StepsThatFail => ["stage", "first write", "write", "finish", "open"];

    public static TheoryData<Exception> Failures =>
        [new StoreFailedException("IO error"), new DiskFailedException("EIO"), new IOException("no space left"), new UnauthorizedAccessException("no")];

    // S10, S11: nothing relied on it yet, so the transfer is lost and nothing else; nothing stays open, and nothing stays behind.
    [Theory]
    [MemberData(nameof(StepsThatFail))]
    public void A_failure_of_the_receivers_store_ends_that_transfer_only(string step)
    {
        TestNetwork network = TestNetwork.Behind();
        FakeMachines machines = network.Two.Machines;
        FakeMachine live = network.Two.Machine;
        FailOnce(machines, step);
        network.Until(() => network.Two.Host.Snapshots.Failed == 1);
        Assert.Equal([(S1, 1UL)], machines.Directories);
        Assert.All(machines.StagedStores, store => Assert.True(store.IsDisposed));
        Assert.Same(live, network.Two.Machine);
        Assert.False(live.IsDisposed);
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal(21UL, network.Two.Machine.Applied.Value);
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public void Whatever_files_throw_ends_the_transfer(Exception failure)
    {
        TestNetwork network = TestNetwork.Behind();
        int writes = 0;
        network.Two.Machines.BeforeWrite = _ => { if (++writes == 3) throw failure; };
        network.Until(() => network.Two.Host.Snapshots.Failed == 1);
        Assert.Equal([(S1, 1UL)], network.Two.Machines.Directories);
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
    }

    // S4: the log was cut at what is flushed, never at what a snapshot was meant to hold.
    [Fact]
    public void A_checkpoint_that_cannot_be_made_is_tried_again_and_the_log_stays_as_it_is()
    {
        TestNetwork network = TestNetwork.Behind();
        int attempts = 0;
        network.One.Machine.BeforeCheckpoint = () => { if (++attempts <= 2) throw new StoreFailedException("no space left"); };
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal((2L, 1L, 21UL), (network.One.Host.Snapshots.Failed, network.One.Host.Snapshots.Sent, network.One.Group.SnapshotIndex.Value));
    }

    // S11: an error of the sender's files is not masked, nor does it leave the receiver waiting.
    [Fact]
    public void A_checkpoint_that_cannot_be_read_ends_the_transfer_on_both_sides()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.Kind == FrameKind.SnapshotFetch;
        network.Until(() => network.CountSent(FrameKind.SnapshotFetch) == 1);
        network.One.Machine.Checkpoints[0].BeforeRead = () => throw new IOException("EIO");
        network.Loses = static _ => false;
        network.Until(() => network.One.Host.Snapshots.Failed == 1 && network.Two.Host.Snapshots.Failed == 1);
        Assert.True(network.One.Machine.Checkpoints[0].IsDisposed);
        Assert.Equal([(S1, 1UL)], network.Two.Machines.Directories);
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
    }

    [Fact]
    public void A_generation_that_cannot_be_deleted_is_left_to_the_next_start()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Two.Machines.BeforeDelete = () => throw new IOException("busy");
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal([(S1, 1UL), (S1, 2UL)], network.Two.Machines.Directories);
        network.Two.Restart();
        Assert.Equal([(S1, 2UL)], network.Two.Machines.Directories);
        Assert.Equal(21UL, network.Two.Machine.Applied.Value);
    }

    // S15: whatever is installed later, a generation is used once.
    [Fact]
    public void Every_attempt_has_a_generation_of_its_own()
    {
        TestNetwork network = TestNetwork.Behind();
        int opened = 0;
        network.Two.Machines.BeforeOpen = _ => { if (++opened <= 2) throw new StoreFailedException("damaged"); };
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal([(S1, 4UL)], network.Two.Machines.Directories);
        Assert.Equal(4UL, network.Two.Log.DurablePoint(S1)!.Generation);
    }

    // S9: two at once.
    [Fact]
    public void A_second_offer_waits_while_the_first_one_moves()
    {
        HostUnderTest two = new TestNetwork().Two;
        HandedSnapshot first = new(20, 6, 6, number: 1);
        HandedSnapshot second = new(30, 6, 6, number: 2);
        Offer(two, first);
        Offer(two, second);
        Assert.Equal([(S1, 1UL), (S1, 2UL)], two.Machines.Directories);
        Give(two, first);
        Settle(two);
        Assert.Equal(20UL, two.Machine.Applied.Value);
        Offer(two, second);
        Give(two, second);
        Settle(two);
        Assert.Equal(30UL, two.Machine.Applied.Value);
        Assert.Equal([(S1, 3UL)], two.Machines.Directories);
    }

    [Fact]
    public void A_second_offer_takes_over_from_one_that_no_longer_moves()
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest two = network.Two;
        HandedSnapshot first = new(20, 6, 6, number: 1);
        HandedSnapshot second = new(30, 6, 6, number: 2);
        Offer(two, first);
        Feed(two, first.Chunks.First());
        network.After(999_999);
        Offer(two, second);
        Assert.Equal([(S1, 1UL), (S1, 2UL)], two.Machines.Directories);
        network.After(1);
        Offer(two, second);
        Assert.Equal([(S1, 1UL), (S1, 3UL)], two.Machines.Directories);
        Assert.True(two.Machines.StagedStores[0].IsDisposed);
        Give(two, first); // Late, and of a transfer that is over.
        Give(two, second);
        Settle(two);
        Assert.Equal(30UL, two.Machine.Applied.Value);
    }

    // It is between SNAPSHOT, STEP, PERSIST and APPLY: nothing may pull it from under them.
    [Fact]
    public void A_staged_snapshot_is_not_taken_over_however_long_it_waits()
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest two = network.Two;
        HandedSnapshot first = new(20, 6, 6, number: 1);
        HandedSnapshot second = new(30, 6, 6, number: 2);
        Offer(two, first);
        Give(two, first);
        network.After(60_000_000);
        Offer(two, second);
        two.Arrive(1, new SnapshotEnd(first.Id, LogIndex.Zero).ToFrame());
        two.Snapshots();
        Assert.Equal([(S1, 1UL), (S1, 2UL)], two.Machines.Directories);
        Settle(two);
        Assert.Equal(20UL, two.Machine.Applied.Value);
    }

    [Fact]
    public void No_more_snapshots_come_in_or_go_out_at_once_than_there_are_slots_and_all_get_their_turn()
    {
        TestNetwork network = TestNetwork.Behind(groups: 7);
        int mostOut = 0;
        int mostIn = 0;
        network.Until(() =>
        {
            mostOut = Math.Max(mostOut, network.One.Host.Machines.Cast<FakeMachine>().Sum(machine => machine.Checkpoints.Count(checkpoint => !checkpoint.IsDisposed)));
            mostIn = Math.Max(mostIn, network.Two.Machines.StagedStores.Count(store => !store.IsDisposed));
            // One piece a tick, or they would come one after the other.
            network.Loses = frame => frame.Kind == FrameKind.SnapshotChunk && network.CountSent(FrameKind.SnapshotChunk) % 3 > 0;
            return network.Two.Host.Snapshots.Installed == 7;
        });
        Assert.Equal((4, 2), (mostOut, mostIn));
        Assert.All(network.Two.Host.Machines, machine => Assert.Equal(21UL, machine.Applied.Value));
    }

    [Fact]
    public void An_offer_beyond_the_slots_is_taken_when_one_is_free()
    {
        TestNetwork network = new(groups: 3) { Loses = static _ => true };
        HostUnderTest two = network.Two;
        HandedSnapshot[] snapshots = [.. Enumerable.Range(1, 3).Select(group => new HandedSnapshot(20, 6, 6, number: (ulong)group, group: (ulong)group))];
        foreach (HandedSnapshot snapshot in snapshots) Offer(two, snapshot);
        Assert.Equal(2, two.Machines.StagedStores.Count);
        Give(two, snapshots[0]);
        Settle(two);
        Offer(two, snapshots[2]);
        Give(two, snapshots[2]);
        Give(two, snapshots[1]);
        Settle(two);
        Assert.All(two.Host.Machines, machine => Assert.Equal(20UL, machine.Applied.Value));
    }

    [Fact]
    public void An_offer_for_a_group_or_a_replica_that_is_not_here_is_left_alone()
    {
        HostUnderTest two = new TestNetwork().Two;
        Offer(two, new HandedSnapshot(20, 6, 6, group: 9));
        SnapshotOffer other = new HandedSnapshot(20, 6, 6).Offer;
        two.Arrive(1, (other with { Id = other.Id with { To = new ReplicaId(5) } }).ToFrame());
        two.Snapshots();
        Assert.Empty(two.Machines.StagedStores);
    }

    // S6: the term is checked. What an offer says of itself must not stop the process.
    [Fact]
    public void A_snapshot_whose_sender_has_not_seen_its_last_entrys_term_is_refused()
    {
        HostUnderTest two = new TestNetwork().Two;
        HandedSnapshot.Give(two, index: 20, term: 9, senderTerm: 6);
        Settle(two);
        Assert.Equal((10UL, 5UL, 1L), (two.Machine.Applied.Value, two.Group.Term.Value, two.Host.Snapshots.Failed));
        Assert.Equal([(S1, 1UL)], two.Machines.Directories);
        Assert.True(two.Machines.Opened[S1].IsDisposed);
    }

    // S6: a transfer that was replaced while the term was asked for. Its answer is not the other one's, which may hold newer terms' entries.
    [Fact]
    public void A_checkpoint_is_offered_only_in_a_term_that_was_asked_for_after_it_was_made()
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest one = network.One;
        HostedReplica replica = Hosted(one);
        one.Host.Snapshots.Post(new SendSnapshot(replica, new Member(new ReplicaId(2), network.Two.Id)));
        one.Snapshots();
        one.Host.Snapshots.Post(new SendSnapshot(replica, new Member(new ReplicaId(2), network.Two.Id)));
        one.Step(); // Says of the first checkpoint: term 5.
        one.Arrive((1UL, Some.Message(MessageKind.Append, 3, 1, 9, 10, 5, 11, Some.Entry(11, 9))));
        for (int i = 0; i < 4; i++) _ = one.Step() | one.Persist() | one.Apply();
        ((FakeMachine)replica.Machine).Flush();
        one.Snapshots();
        Settle(one);
        Assert.Equal(2, ((FakeMachine)replica.Machine).Checkpoints.Count);
        SnapshotOffer[] offers = [.. network.SnapshotFrames.Where(frame => frame.Kind == FrameKind.SnapshotOffer).Select(frame => SnapshotOffer.Read(frame.Body))];
        Assert.Equal([9UL], offers.Select(offer => offer.Term.Value));
    }

    [Fact]
    public void The_term_of_an_offer_is_asked_for_after_the_checkpoint_was_made()
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest one = network.One;
        one.Host.Snapshots.Post(new SendSnapshot(Hosted(one), new Member(new ReplicaId(2), network.Two.Id)));
        one.Arrive((1UL, Some.Message(MessageKind.Heartbeat, 3, 1, 8)));
        one.Snapshots();
        Assert.Empty(network.SnapshotFrames);
        Settle(one);
        SnapshotOffer offer = SnapshotOffer.Read(Assert.Single(network.SnapshotFrames).Body);
        Assert.Equal(8UL, offer.Term.Value);
    }

    [Theory]
    [InlineData(9, 0)]
    [InlineData(1, 41)]
    [InlineData(int.MaxValue, long.MaxValue)]
    public void A_fetch_beyond_the_files_is_answered_with_the_end_and_ends_nothing(int file, long offset)
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.Kind == FrameKind.SnapshotFetch;
        network.Until(() => network.CountSent(FrameKind.SnapshotFetch) == 1);
        SnapshotFetch fetch = SnapshotFetch.Read(network.SnapshotFrames.Last(frame => frame.Kind == FrameKind.SnapshotFetch).Body);
        network.One.Arrive(2, (fetch with { File = file, Offset = offset }).ToFrame());
        network.Loses = frame => frame.Kind == FrameKind.SnapshotEnd;
        network.Settle();
        Assert.Equal(LogIndex.Zero, SnapshotEnd.Read(network.SnapshotFrames.Last(frame => frame.Kind == FrameKind.SnapshotEnd).Body).Installed);
        network.Loses = static _ => false;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal(1, network.One.Host.Snapshots.Sent);
    }

    [Fact]
    public void A_fetch_of_what_nobody_knows_is_answered_with_the_end()
    {
        TestNetwork network = new() { Loses = static _ => true };
        network.One.Arrive(2, new SnapshotFetch(Samples.Id, 0, 0).ToFrame());
        network.One.Snapshots();
        FrameOnItsWay answer = Assert.Single(network.SnapshotFrames);
        Assert.Equal((network.Two.Id, new SnapshotEnd(Samples.Id, LogIndex.Zero)), (answer.To, SnapshotEnd.Read(answer.Body)));
    }

    // Whatever a piece says, only the bytes that come next are taken.
    [Fact]
    public void Pieces_that_do_not_fit_are_left_alone()
    {
        HostUnderTest two = new TestNetwork().Two;
        HandedSnapshot snapshot = new(20, 6, 6);
        Offer(two, snapshot);
        SnapshotChunk rows = snapshot.Chunks.First();
        byte[] bytes = rows.Bytes.ToArray();
        foreach (SnapshotChunk wrong in new[]
        {
            rows with { Bytes = default },
            rows with { Bytes = new byte[41] },
            rows with { Offset = 1 },
            rows with { Offset = -1 },
            rows with { File = 0 },
            rows with { File = -1 },
            rows with { File = 3 },
            rows with { Id = rows.Id with { Number = 99 } },
            rows with { Id = rows.Id with { Group = new GroupId(9) } },
            rows with { Id = rows.Id with { From = new ReplicaId(3) } },
        }) Feed(two, wrong);
        Feed(two, rows with { Bytes = bytes.AsMemory(0, 10) });
        Feed(two, rows);
        Feed(two, rows with { Offset = 10, Bytes = bytes.AsMemory(10, 30) });
        Feed(two, snapshot.Chunks.Last());
        Feed(two, snapshot.Chunks.Last());
        Settle(two);
        Assert.Equal((20UL, 0L, 1L), (two.Machine.Applied.Value, two.Host.Snapshots.Failed, two.Host.Snapshots.Installed));
    }

    [Fact]
    public void Frames_that_do_not_parse_are_counted_and_change_nothing()
    {
        HostUnderTest two = new TestNetwork().Two;
        HandedSnapshot snapshot = new(20, 6, 6);
        Offer(two, snapshot);
        foreach (FrameKind kind in new[] { FrameKind.SnapshotOffer, FrameKind.SnapshotFetch, FrameKind.SnapshotChunk, FrameKind.SnapshotEnd })
            two.Host.Worker.OnFrame(Some.Node(1), kind, [1, 2, 3]);
        two.Snapshots();
        Assert.Equal(4, two.Host.Snapshots.Failed);
        Give(two, snapshot);
        Settle(two);
        Assert.Equal(20UL, two.Machine.Applied.Value);
    }

    // The receiver sets the pace: 16 bytes a piece at 160 bytes a second is a piece in 100 ms.
    [Fact]
    public void Pieces_are_asked_for_no_faster_than_the_limit()
    {
        TestNetwork network = TestNetwork.Behind(TestNetwork.Options with { SnapshotBytesPerSecond = 160 });
        network.Until(() => network.CountSent(FrameKind.SnapshotFetch) == 1);
        long first = network.Now;
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        // Four pieces; the last one is of 16 bytes and nothing waits behind it, the third of 8.
        Assert.Equal(250_000, network.Now - first);
        Assert.Equal(4, network.CountSent(FrameKind.SnapshotFetch));
    }

    [Fact]
    public void It_says_when_it_is_due_and_not_at_all_when_nothing_is_on_its_way()
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest two = network.Two;
        Assert.Equal(long.MaxValue, two.Host.Snapshots.NextDueAt);
        Assert.False(two.Snapshots());
        HandedSnapshot snapshot = new(20, 6, 6);
        Offer(two, snapshot);
        Assert.Equal(network.Now + 500_000, two.Host.Snapshots.NextDueAt); // The same piece again.
        network.After(499_999);
        Assert.False(two.Snapshots());
        network.After(1);
        Assert.True(two.Snapshots());
        Assert.Equal(2, network.CountSent(FrameKind.SnapshotFetch));
        Give(two, snapshot);
        Assert.Equal(long.MaxValue, two.Host.Snapshots.NextDueAt); // Staged: the others' turn.
    }

    [Fact]
    public void What_waits_is_bounded_in_frames_and_bytes_and_what_is_refused_is_counted()
    {
        HostUnderTest two = new TestNetwork().Two;
        byte[] large = new byte[16 * 1024 * 1024];
        for (int i = 0; i < 3; i++) two.Host.Worker.OnFrame(Some.Node(1), FrameKind.SnapshotChunk, large);
        Assert.Equal(1, two.Host.Worker.DroppedFrames);
        two.Snapshots();
        for (int i = 0; i < 4097; i++) two.Host.Worker.OnFrame(Some.Node(1), FrameKind.SnapshotEnd, [1]);
        Assert.Equal(2, two.Host.Worker.DroppedFrames);
    }

    // A clean stop leaves nothing open, at whatever step a transfer is.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_host_that_is_disposed_closes_what_is_on_its_way(int steps)
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest two = network.Two;
        HandedSnapshot snapshot = new(20, 6, 6);
        Offer(two, snapshot);
        FakeMachine live = two.Machine;
        if (steps > 0) Give(two, snapshot);
        if (steps > 1) _ = two.Step() | two.Persist();
        if (steps > 2) _ = two.Step() | two.Apply();
        two.Host.Dispose();
        Assert.True(live.IsDisposed);
        Assert.True(two.Machines.Opened[S1].IsDisposed);
        Assert.All(two.Machines.StagedStores, store => Assert.True(store.IsDisposed));
    }

    [Fact]
    public void A_host_that_is_disposed_deletes_the_checkpoints_it_was_sending()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Loses = frame => frame.IsSnapshot;
        network.Until(() => network.One.Machine.Checkpoints.Count == 1);
        network.One.Host.Dispose();
        Assert.True(network.One.Machine.Checkpoints[0].IsDisposed);
    }

    private static void FailOnce(FakeMachines machines, string step)
    {
        bool hasFailed = false;
        int writes = 0;
        switch (step)
        {
            case "stage": machines.BeforeStage = Fail; break;
            case "first write": machines.BeforeWrite = _ => Fail(); break; // Of an empty file, before anything was fetched.
            case "write": machines.BeforeWrite = _ => { if (++writes == 4) Fail(); }; break;
            case "finish": machines.BeforeFinish = Fail; break;
            default: machines.BeforeOpen = _ => Fail(); break;
        }

        void Fail()
        {
            if (hasFailed) return;
            hasFailed = true;
            throw new StoreFailedException($"{step} failed");
        }
    }

    // The log, which stops the process when it finds no room, must not be left without by what can wait.
    [Fact]
    public void An_offer_that_the_disk_has_no_room_for_waits_until_there_is()
    {
        TestNetwork network = TestNetwork.Behind();
        SnapshotStreamer snapshots = network.Two.Host.Snapshots;
        network.Two.Machines.RoomBytes = 55; // It takes 56.
        network.Until(() => snapshots.WaitForRoom == 1);
        network.Pass(15_000_000);
        Assert.Equal((1, 0L), (snapshots.WaitForRoom, snapshots.Failed));
        Assert.Empty(network.Two.Machines.StagedStores);
        Assert.DoesNotContain(network.One.Machine.Checkpoints, checkpoint => checkpoint.WasVerified); // Nobody had anything of them that could be damaged.
        Assert.All(network.One.Machine.Checkpoints.SkipLast(1), checkpoint => Assert.True(checkpoint.IsDisposed));
        network.Two.Machines.RoomBytes = 56;
        network.Until(() => snapshots.Installed == 1);
        Assert.Equal(0, snapshots.WaitForRoom);
    }

    [Fact]
    public void What_others_still_have_to_fetch_is_room_that_is_taken()
    {
        TestNetwork network = new(groups: 2) { Loses = static _ => true };
        HostUnderTest two = network.Two;
        two.Machines.RoomBytes = 100;
        HandedSnapshot first = new(20, 6, 6, number: 1, group: 1);
        HandedSnapshot second = new(20, 6, 6, number: 2, group: 2);
        Offer(two, first);
        Offer(two, second);
        Assert.Equal((1, 1), (two.Machines.StagedStores.Count, two.Host.Snapshots.WaitForRoom));
        Feed(two, first.Chunks.First());
        two.Machines.RoomBytes -= 40; // That is on the disk now.
        Offer(two, second);
        Assert.Single(two.Machines.StagedStores);
        two.Machines.RoomBytes = 16 + 56;
        Offer(two, second);
        Assert.Equal((2, 0), (two.Machines.StagedStores.Count, two.Host.Snapshots.WaitForRoom));
    }

    [Fact]
    public void A_group_that_is_offered_nothing_any_more_waits_for_no_room()
    {
        TestNetwork network = new() { Loses = static _ => true };
        HostUnderTest two = network.Two;
        two.Machines.RoomBytes = 0;
        Offer(two, new HandedSnapshot(20, 6, 6));
        Assert.Equal((1, network.Now + 10_000_000), (two.Host.Snapshots.WaitForRoom, two.Host.Snapshots.NextDueAt));
        network.After(10_000_000);
        Assert.True(two.Snapshots());
        Assert.Equal((0, long.MaxValue), (two.Host.Snapshots.WaitForRoom, two.Host.Snapshots.NextDueAt));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void What_arrived_damaged_is_not_installed_and_its_sender_is_told(int steps)
    {
        TestNetwork network = TestNetwork.Behind();
        int verified = 0;
        network.Two.Machines.BeforeVerify = () => ++verified == 1 ? throw new StoreDamagedException("a block's checksum is wrong") : steps;
        network.Until(() => network.Two.Host.Snapshots.Failed == 1);
        Assert.Equal([(S1, 1UL)], network.Two.Machines.Directories);
        network.Until(() => network.One.Host.Snapshots.Failed == 1); // Its own files are as they were.
        Assert.Empty(network.One.Host.Worker.Stopped);
        network.Until(() => network.Two.Host.Snapshots.Installed == 1);
        Assert.Equal((2, 21UL), (verified, network.Two.Machine.Applied.Value));
        Assert.All(network.One.Machine.Checkpoints, checkpoint => Assert.True(checkpoint.IsDisposed));
    }

    // Its store holds the same bytes: nobody else is to be sent them.
    [Fact]
    public void A_sender_whose_own_files_are_damaged_stops_its_replica()
    {
        TestNetwork network = TestNetwork.Behind();
        network.Two.Machines.BeforeVerify = () =>
        {
            network.One.Machine.Checkpoints[0].BeforeVerify = static () => throw new StoreDamagedException("a block's checksum is wrong, here as well");
            throw new StoreDamagedException("a block's checksum is wrong");
        };
        network.Until(() => network.One.Host.Worker.Stopped.Any());
        Assert.Equal("a block's checksum is wrong, here as well", network.One.Host.Worker.Stopped.Single().Reason);
        Assert.Equal((1L, 1L), (network.One.Host.Snapshots.Failed, network.Two.Host.Snapshots.Failed));
    }

    // A large store takes minutes: neither side may take the other for gone, and nothing else waits for it.
    [Fact]
    public void While_a_snapshot_is_verified_its_sender_knows_that_it_is_wanted()
    {
        TestNetwork network = TestNetwork.Behind();
        HostUnderTest two = network.Two;
        two.Machines.BeforeVerify = static () => int.MaxValue;
        network.Loses = frame => frame.Kind == FrameKind.SnapshotOffer;
        HandedSnapshot snapshot = new(20, 6, 6);
        Offer(two, snapshot);
        Give(two, snapshot);
        int asked = network.CountSent(FrameKind.SnapshotFetch);
        for (int tick = 0; tick < 30; tick++)
        {
            network.After(500_000);
            Assert.True(two.Snapshots());
        }

        Assert.Equal(asked + 30, network.CountSent(FrameKind.SnapshotFetch));
        two.Arrive(1, new SnapshotEnd(snapshot.Id, LogIndex.Zero).ToFrame()); // It has all of it.
        two.Snapshots();
        Assert.Equal([(S1, 1UL), (S1, 2UL)], two.Machines.Directories);
        Assert.Equal(0, two.Host.Snapshots.Failed);
    }

    private static HostedReplica Hosted(HostUnderTest host) =>
        new(host.Group, host.Machine, Some.Recovered(1, 3).CommitPoint);

    private static void Offer(HostUnderTest to, HandedSnapshot snapshot)
    {
        to.Arrive(1, snapshot.Offer.ToFrame());
        to.Snapshots();
    }

    private static void Give(HostUnderTest to, HandedSnapshot snapshot)
    {
        foreach (SnapshotChunk chunk in snapshot.Chunks) Feed(to, chunk);
    }

    private static void Feed(HostUnderTest to, SnapshotChunk chunk)
    {
        to.Arrive(1, chunk.ToFrame());
        to.Snapshots();
    }

    private static void Settle(HostUnderTest host)
    {
        while (host.RunOnce()) { }
    }

    private static class Samples
    {
        public static SnapshotId Id { get; } = new(S1, new ReplicaId(1), new ReplicaId(2), 77);
    }
}
