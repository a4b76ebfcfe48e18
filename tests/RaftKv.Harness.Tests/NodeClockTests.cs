using System.Globalization;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Tests;

/// <summary>What libfaketime is told: the file of a node's clock.</summary>
public sealed class NodeClockTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private readonly SetTime _time = new();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_healthy_clock_says_nothing_else_than_the_time()
    {
        new NodeClock(_file, bendsAll: true, _time).OnStart();
        Assert.Equal("+0.000000 x1.0\n", File.ReadAllText(_file));
    }

    [Fact]
    public void A_wall_clock_stays_wrong_when_the_process_starts_anew()
    {
        NodeClock clock = new(_file, bendsAll: false, _time);
        clock.SetWall(TimeSpan.FromSeconds(-70.5));
        clock.OnStart();
        Assert.Equal("-70.500000 x1.0\n", File.ReadAllText(_file));
        clock.SetWall(TimeSpan.Zero);
        Assert.Equal("+0.000000 x1.0\n", File.ReadAllText(_file));
    }

    // The library counts from the start of the process: an offset of 0 would let the clock jump by what it has run.
    [Theory]
    [InlineData(1.2)]
    [InlineData(0.8)]
    public void With_a_new_rate_a_clock_goes_on_from_where_it_is(double rate)
    {
        NodeClock clock = new(_file, bendsAll: true, _time);
        clock.OnStart();
        _time.Now += TimeSpan.FromSeconds(50);
        clock.SetRate(rate);
        (double offset, double told) = Read();
        Assert.Equal((50, rate), (Math.Round((offset - 0.03) / (1 - rate), 3), told));
        clock.OnStart();
        Assert.Equal((0, rate), Read());
    }

    [Fact]
    public void Time_that_was_lost_stays_lost_until_the_process_starts_anew()
    {
        NodeClock clock = new(_file, bendsAll: true, _time);
        clock.OnStart();
        clock.Lose(TimeSpan.FromSeconds(3));
        clock.Lose(TimeSpan.FromSeconds(2));
        Assert.Equal((-5, 1), Read());
        clock.OnStart();
        Assert.Equal((0, 1), Read());
    }

    private (double Offset, double Rate) Read()
    {
        double[] words = [.. File.ReadAllText(_file).Split(" x").Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
        return (words[0], words[1]);
    }

    /// <summary>Time goes on when a test says so.</summary>
    private sealed class SetTime : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long GetTimestamp() => Now.Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    }
}
