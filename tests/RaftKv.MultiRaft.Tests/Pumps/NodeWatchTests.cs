using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>Design §6: "failure detection is per node"; a new boot id, a dead node or one whose disk stands still is not to be trusted in.</summary>
public sealed class NodeWatchTests
{
    private const long Timeout = 500_000;
    private const long Tick = 50_000;
    private static readonly NodeId Peer = Some.Node(2);
    private readonly NodeWatch _watch = new(Timeout, seed: 1);
    private long _now = 1_000_000;

    public NodeWatchTests() => _watch.Add(Peer);

    [Fact]
    public void A_node_that_was_never_heard_is_not_alive_and_not_gone_either()
    {
        Assert.False(_watch.IsAlive(_now, Peer));
        Assert.Empty(TicksUntilGone(20));
    }

    [Fact]
    public void Nobody_but_the_nodes_of_members_is_watched()
    {
        NodeId stranger = Some.Node(9);
        Assert.Equal(default, _watch.OnHeartbeat(_now, stranger, Body(bootId: 7)));
        Assert.False(_watch.IsAlive(_now, stranger));
        Assert.Equal([Peer], _watch.Nodes);
    }

    [Fact]
    public void A_node_is_alive_for_the_timeout_after_each_heartbeat()
    {
        Hear();
        Assert.True(_watch.IsAlive(_now + Timeout - 1, Peer));
        Assert.False(_watch.IsAlive(_now + Timeout, Peer));
        _now += Timeout - 1;
        Hear();
        Assert.True(_watch.IsAlive(_now + Timeout - 1, Peer));
    }

    [Fact]
    public void A_node_is_gone_when_it_was_silent_for_the_timeout_at_two_ticks_in_a_row_and_that_is_told_once()
    {
        Hear();
        Assert.Equal([11], TicksUntilGone(40)); // At the tenth tick the timeout has passed.
    }

    // Whoever was paused itself finds everybody silent at its first tick.
    [Fact]
    public void One_late_tick_makes_nobody_gone()
    {
        Hear();
        for (int i = 0; i < 5; i++)
        {
            _now += 60 * Timeout;
            Assert.Empty(_watch.Tick(_now));
            Hear();
        }
    }

    [Fact]
    public void A_node_that_comes_back_may_be_gone_again()
    {
        Hear();
        Assert.Equal([11], TicksUntilGone(11));
        Assert.Equal((false, false), Hear());
        Assert.Equal([11], TicksUntilGone(11));
    }

    // "A new boot id": it has forgotten that it led, and what it had agreed to.
    [Fact]
    public void A_node_in_another_life_is_gone_for_who_slept_under_it_and_has_lost_us()
    {
        Assert.Equal((false, false), Hear(bootId: 7));
        Assert.Equal((true, true), Hear(bootId: 8));
        Assert.Equal((false, false), Hear(bootId: 8));
        Assert.True(_watch.IsAlive(_now, Peer));
    }

    [Fact]
    public void A_node_whose_disk_stands_still_is_gone_once_and_not_alive_until_it_works_again()
    {
        Hear();
        Assert.Equal((true, false), Hear(isStalled: true));
        Assert.Equal((false, false), Hear(isStalled: true));
        Assert.False(_watch.IsAlive(_now, Peer));
        Assert.Equal((false, false), Hear());
        Assert.True(_watch.IsAlive(_now, Peer));
    }

    [Fact]
    public void A_node_that_is_about_to_stop_is_alive_but_is_given_nothing()
    {
        Hear(isLeaving: true);
        Assert.Equal((true, false), (_watch.IsAlive(_now, Peer), _watch.MayLead(_now, Peer)));
        Hear();
        Assert.True(_watch.MayLead(_now, Peer));
        Assert.False(_watch.MayLead(_now + Timeout, Peer));
    }

    // A leader asleep that was unreachable may have been replaced: it hears of it by the count, whenever it is reached again.
    [Fact]
    public void Heartbeats_say_how_often_their_addressee_was_taken_for_gone()
    {
        Assert.Equal(0u, LossesToldToPeer());
        Hear();
        TicksUntilGone(11);
        Assert.Equal(1u, LossesToldToPeer());
        Hear(bootId: 8);
        Assert.Equal(2u, LossesToldToPeer());
        Hear(bootId: 8, isStalled: true);
        Assert.Equal(3u, LossesToldToPeer());
        _watch.OnMistrusted(Peer);
        Assert.Equal(4u, LossesToldToPeer());
    }

    [Fact]
    public void Whoever_has_taken_this_node_for_gone_has_lost_us_once_for_each_time()
    {
        Hear();
        Assert.Equal((false, true), Hear(losses: 1));
        Assert.Equal((false, false), Hear(losses: 1));
        Assert.Equal((false, true), Hear(losses: 3));
    }

    [Fact]
    public void A_heartbeat_without_the_count_says_that_nobody_was_lost()
    {
        Hear();
        byte[] body = Body(bootId: 7)[..^4];
        Assert.Equal(default, _watch.OnHeartbeat(_now, Peer, body));
        Assert.True(_watch.IsAlive(_now, Peer));
    }

    /// <summary>Design §6: a connection that the other side closed counts as silence after 100 to 300 ms.</summary>
    [Fact]
    public void A_node_whose_connection_broke_and_that_is_not_heard_again_is_gone_within_a_fifth_to_three_fifths_of_the_timeout()
    {
        Hear();
        _watch.OnConnection(_now, Peer, bootId: 0);
        Assert.InRange(Assert.Single(TicksUntilGone(9)), (int)(Timeout / 5 / Tick), (int)(3 * Timeout / 5 / Tick) + 1);
        Assert.False(_watch.IsAlive(_now, Peer));
        Assert.Equal(1u, LossesToldToPeer());
    }

    [Fact]
    public void It_is_not_when_the_connection_or_a_heartbeat_comes_back()
    {
        Hear();
        _watch.OnConnection(_now, Peer, bootId: 0);
        Assert.True(_watch.OnConnection(_now, Peer, bootId: 7));
        Assert.Empty(TicksUntilGone(9));
        Hear();
        _watch.OnConnection(_now, Peer, bootId: 0);
        Hear();
        Assert.Empty(TicksUntilGone(9));
    }

    [Fact]
    public void Another_life_that_connects_is_not_the_one_that_was_lost()
    {
        Hear();
        Assert.False(_watch.OnConnection(_now, Peer, bootId: 0));
        Assert.False(_watch.OnConnection(_now, Peer, bootId: 8));
        Assert.Single(TicksUntilGone(9));
    }

    [Fact]
    public void Nor_is_it_when_the_loss_was_never_told()
    {
        Hear();
        Assert.False(_watch.OnConnection(_now, Peer, bootId: 8));
        Assert.Single(TicksUntilGone(9));
    }

    private static byte[] Body(ulong bootId, bool isStalled = false, bool isLeaving = false, uint losses = 0) => NodeWatch.Heartbeat(bootId, isStalled, isLeaving, losses)[PeerFrame.HeaderBytes..];

    private (bool IsGone, bool HasLostUs) Hear(ulong bootId = 7, bool isStalled = false, bool isLeaving = false, uint losses = 0)
    {
        NodeNews news = _watch.OnHeartbeat(_now, Peer, Body(bootId, isStalled, isLeaving, losses));
        return (news.IsGone, news.HasLostUs);
    }

    private uint LossesToldToPeer() => BitConverter.ToUInt32(_watch.HeartbeatTo(Peer, 1, isStalled: false, isLeaving: false).AsSpan(^4..));

    /// <summary>The numbers of the ticks, from 1, at which the peer was gone.</summary>
    private int[] TicksUntilGone(int ticks) => [.. Enumerable.Range(1, ticks).Where(_ => _watch.Tick(_now += Tick).Contains(Peer))];
}
