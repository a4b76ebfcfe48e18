namespace RaftKv.Transport.Tests;

public sealed class PacingTests
{
    [Fact]
    public void The_wait_doubles_up_to_the_maximum_and_half_of_it_is_random()
    {
        Backoff backoff = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(2), seed: 1);
        foreach (int ceiling in new[] { 50, 100, 200, 400, 800, 1600, 2000, 2000, 2000 }) Assert.InRange(backoff.Next().TotalMilliseconds, ceiling / 2, ceiling);
        backoff.Reset();
        Assert.InRange(backoff.Next().TotalMilliseconds, 25, 50);
        Assert.NotEqual(new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), 1).Next(), new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), 2).Next());
    }

    [Fact]
    public void A_line_is_logged_once_in_its_interval_for_each_subject()
    {
        JumpingClock clock = new();
        LogLimiter limiter = new(TimeSpan.FromSeconds(30), clock);
        Assert.True(limiter.Allows("n2", "refused"));
        Assert.False(limiter.Allows("n2", "refused"));
        Assert.True(limiter.Allows("n3", "refused"));
        Assert.True(limiter.Allows("n2", "lost"));
        clock.Jump(TimeSpan.FromSeconds(30));
        Assert.True(limiter.Allows("n2", "refused"));
    }

    [Fact]
    public void A_flood_of_different_lines_is_held_back_and_does_not_stay()
    {
        JumpingClock clock = new();
        LogLimiter limiter = new(TimeSpan.FromSeconds(30), clock);
        Assert.Equal(LogLimiter.MaxLines, Enumerable.Range(0, 1000).Count(i => limiter.Allows("n2", $"line {i}")));
        clock.Jump(TimeSpan.FromSeconds(30));
        Assert.True(limiter.Allows("n2", "line 999"));
    }
}
