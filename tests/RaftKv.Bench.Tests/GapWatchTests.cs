using RaftKv.Bench.Loop;

namespace RaftKv.Bench.Tests;

public sealed class GapWatchTests
{
    private readonly GapWatch _gaps = new(lanes: 2, start: 100);

    [Fact]
    public void A_gap_runs_from_one_success_of_the_lane_to_the_next()
    {
        Succeed(client: 0, now: 110);
        Succeed(client: 2, now: 150); // Lane 0 again.
        Succeed(client: 0, now: 155);
        Assert.Equal(40, _gaps.Longest([0], now: 160));
        Assert.Equal(60, _gaps.Longest([1], now: 160));
        Assert.Equal(60, _gaps.Longest([0, 1], now: 160));
    }

    [Fact]
    public void What_failed_ends_no_gap()
    {
        foreach (AnswerKind kind in (AnswerKind[])[AnswerKind.Refused, AnswerKind.Unknown, AnswerKind.Absent]) ((IAnswerObserver)_gaps).OnAnswer(0, kind, 120);
        Assert.Equal(30, _gaps.Longest([0], now: 130));
    }

    [Fact]
    public void An_open_gap_survives_a_reset_and_older_ones_do_not()
    {
        Succeed(client: 0, now: 200);
        _gaps.Reset();
        Assert.Equal(5, _gaps.Longest([0], now: 205));
        Succeed(client: 0, now: 230);
        Assert.Equal(30, _gaps.Longest([0], now: 231));
    }

    [Fact]
    public void Lanes_have_succeeded_when_each_has()
    {
        Succeed(client: 0, now: 200);
        Assert.True(_gaps.HasSucceededSince([0], 199));
        Assert.False(_gaps.HasSucceededSince([0], 200));
        Assert.False(_gaps.HasSucceededSince([0, 1], 199));
        Succeed(client: 1, now: 201);
        Assert.True(_gaps.HasSucceededSince([0, 1], 199));
    }

    private void Succeed(int client, long now) => ((IAnswerObserver)_gaps).OnAnswer(client, AnswerKind.Done, now);
}
