namespace RaftKv.Raft.Tests;

/// <summary>A follower that gets a snapshot, as its leader sees it. bugs.md L15, L18, T3, T4.</summary>
public sealed class ProgressTests
{
    private static readonly RaftOptions Options = new() { Group = default, Replica = new ReplicaId(1), Seed = 1 };

    [Fact]
    public void A_follower_that_gets_a_snapshot_is_sent_nothing_else()
    {
        Progress progress = Replicating(match: 5);
        progress.OnSent(new LogIndex(9), 100, 0);
        progress.ReadOutstanding = true;
        progress.BecomeSnapshot();
        Assert.Equal((ProgressState.Snapshot, 5UL, 6UL), (progress.State, progress.Match.Value, progress.Next.Value));
        Assert.Equal((0, 0L, false), (progress.InFlightMessages, progress.InFlightBytes, progress.ReadOutstanding));
        Assert.False(progress.MaySend(Options));
        progress.AllowProbe(10_000_000, 0);
        Assert.False(progress.MaySend(Options));
        Assert.False(progress.MayStartSnapshot(long.MaxValue));
    }

    [Fact]
    public void A_rejection_says_nothing_while_a_snapshot_is_on_its_way()
    {
        Progress progress = Replicating(match: 5);
        progress.BecomeSnapshot();
        Assert.False(progress.TryBackTrack(new LogIndex(6), new LogIndex(2)));
        Assert.Equal((ProgressState.Snapshot, 6UL), (progress.State, progress.Next.Value));
    }

    [Fact]
    public void An_acknowledgement_counts_but_does_not_end_the_snapshot()
    {
        Progress progress = Replicating(match: 5);
        progress.BecomeSnapshot();
        Assert.True(progress.TryAdvance(new LogIndex(7)));
        Assert.Equal((ProgressState.Snapshot, 7UL, 8UL), (progress.State, progress.Match.Value, progress.Next.Value));
        Assert.False(progress.TryAdvance(new LogIndex(7)));
        Assert.False(progress.MaySend(Options));
    }

    [Fact]
    public void After_an_installed_snapshot_the_follower_is_probed_behind_it()
    {
        Progress progress = Replicating(match: 5);
        progress.BecomeSnapshot();
        progress.OnSnapshotEnded(new LogIndex(20), 1000);
        Assert.Equal((ProgressState.Probe, 5UL, 21UL), (progress.State, progress.Match.Value, progress.Next.Value));
        Assert.True(progress.MaySend(Options));
        progress.OnSent(new LogIndex(22), 100, 1000);
        Assert.False(progress.MaySend(Options)); // One message at a time, until it is answered.
        Assert.True(progress.TryAdvance(new LogIndex(22)));
        Assert.Equal((ProgressState.Replicate, 22UL, 23UL), (progress.State, progress.Match.Value, progress.Next.Value));
    }

    // Its installed index is an assumption: the follower may have lost it again, or be another life.
    [Fact]
    public void A_probe_behind_a_snapshot_that_is_rejected_goes_back_to_what_is_known()
    {
        Progress progress = Replicating(match: 5);
        progress.BecomeSnapshot();
        progress.OnSnapshotEnded(new LogIndex(20), 1000);
        progress.OnSent(new LogIndex(20), 0, 1000);
        Assert.True(progress.TryBackTrack(new LogIndex(20), new LogIndex(3)));
        Assert.Equal(6UL, progress.Next.Value);
    }

    [Fact]
    public void A_snapshot_that_failed_is_not_repeated_at_once()
    {
        Progress progress = Replicating(match: 5);
        progress.BecomeSnapshot();
        progress.OnSnapshotEnded(LogIndex.Zero, retryAtMicros: 1000);
        Assert.Equal((ProgressState.Probe, 6UL), (progress.State, progress.Next.Value));
        Assert.False(progress.MayStartSnapshot(999));
        Assert.True(progress.MayStartSnapshot(1000));
    }

    [Fact]
    public void A_snapshot_older_than_what_the_follower_has_acknowledged_takes_nothing_back()
    {
        Progress progress = Replicating(match: 5);
        progress.BecomeSnapshot();
        progress.TryAdvance(new LogIndex(30));
        progress.OnSnapshotEnded(new LogIndex(20), 1000);
        Assert.Equal((ProgressState.Probe, 30UL, 31UL), (progress.State, progress.Match.Value, progress.Next.Value));
    }

    // L18, T4: the end of a transfer that an acknowledgement has ended already, or of an earlier leadership's.
    [Fact]
    public void The_end_of_a_snapshot_that_is_not_on_its_way_changes_nothing()
    {
        foreach (Progress progress in new[] { Replicating(match: 5), new Progress(new ReplicaId(2), new LogIndex(8), 0) })
        {
            (ProgressState, LogIndex, LogIndex) before = (progress.State, progress.Match, progress.Next);
            progress.OnSnapshotEnded(new LogIndex(20), 1000);
            progress.OnSnapshotEnded(LogIndex.Zero, 1000);
            Assert.Equal(before, (progress.State, progress.Match, progress.Next));
            Assert.True(progress.MayStartSnapshot(0));
        }
    }

    // L15: whatever comes in whatever order, nothing leaks and nothing that was acknowledged is forgotten.
    [Fact]
    public void No_counter_leaks_and_no_match_is_lost_over_snapshots()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            SplitMix random = new(seed);
            Progress progress = new(new ReplicaId(2), new LogIndex(5), 0);
            ulong last = 4;
            ulong match = 0;
            for (int i = 0; i < 500; i++)
            {
                last += (ulong)random.Below(2);
                ulong at = (ulong)random.Below((long)last + 1);
                if (progress.Next.Value <= last && progress.MaySend(Options))
                    progress.OnSent(new LogIndex(progress.Next.Value + (ulong)random.Below((long)(last - progress.Next.Value) + 1)), (int)random.Below(400), i);
                switch (random.Below(6))
                {
                    case 0: Acknowledge(at); break;
                    case 1: progress.TryBackTrack(new LogIndex(at), new LogIndex((ulong)random.Below((long)at + 1))); break;
                    case 2: progress.AllowProbe(i, 3); break;
                    case 3 when progress.MayStartSnapshot(i): progress.BecomeSnapshot(); break;
                    case 4: progress.OnSnapshotEnded(new LogIndex(random.Chance(500_000) ? at : 0), i); break;
                    default: break;
                }

                Assert.True(progress.Match < progress.Next);
                Assert.True(progress.Next.Value <= last + 1);
                Assert.Equal(match, progress.Match.Value);
                Assert.True(progress.State == ProgressState.Replicate || progress.InFlightMessages == 0);
                Assert.True(progress.State != ProgressState.Snapshot || !progress.MaySend(Options));
            }

            progress.OnSnapshotEnded(new LogIndex(last), 0);
            Acknowledge(last);
            Assert.Equal((0, 0L), (progress.InFlightMessages, progress.InFlightBytes));
            Assert.True(progress.MaySend(Options));

            void Acknowledge(ulong index)
            {
                progress.TryAdvance(new LogIndex(index));
                match = Math.Max(match, index);
            }
        }
    }

    private static Progress Replicating(ulong match)
    {
        Progress progress = new(new ReplicaId(2), new LogIndex(match + 1), 0);
        progress.OnSent(new LogIndex(match), 0, 0);
        Assert.True(progress.TryAdvance(new LogIndex(match)));
        Assert.Equal(ProgressState.Replicate, progress.State);
        return progress;
    }
}
