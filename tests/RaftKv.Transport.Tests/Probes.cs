using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport.Tests;

internal sealed record Received(NodeId From, FrameKind Kind, byte[] Body);

/// <summary>Keeps what it is given; <see cref="Before"/> can hold it up or fail.</summary>
internal sealed class Inbox : IPeerReceiver
{
    public Recorder<Received> Frames { get; } = new();

    /// <summary>"up 2" and "down 2", by the peer's id, in order.</summary>
    public Recorder<string> Connections { get; } = new();

    public Action<byte[]> Before { get; set; } = _ => { };

    public Action OnConnectionEnd { get; set; } = () => { };

    public void OnConnection(NodeId peer, ulong bootId)
    {
        if (bootId == 0) OnConnectionEnd();
        Connections.Add($"{(bootId != 0 ? "up" : "down")} {peer.Value}");
    }

    public void OnFrame(NodeId from, FrameKind kind, byte[] body)
    {
        Before(body);
        Frames.Add(new Received(from, kind, body));
    }
}

internal sealed class LogProbe : ILogger
{
    public Recorder<string> Lines { get; } = new();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Add($"{logLevel}: {formatter(state, exception)}");

    public string[] With(string text) => [.. Lines.All.Where(line => line.Contains(text, StringComparison.Ordinal))];
}

/// <summary>The measurements of one node's meter, as lines "frames.dropped peer=n2 reason=queue_full", each with its value.</summary>
internal sealed class MetricProbe : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Recorder<(string Line, long Value)> _measured = new();

    public MetricProbe(Meter meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == meter) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string line = instrument.Name["raftkv.transport.".Length..];
            foreach (KeyValuePair<string, object?> tag in tags) line += $" {tag.Key}={tag.Value}";
            _measured.Add((line, value));
        });
        _listener.Start();
    }

    public long Sum(params string[] words) => Sum(_measured.All, words);

    /// <summary>Until the measurements whose lines contain all the words add up to at least so much.</summary>
    public Task UntilAsync(long atLeast, params string[] words) => _measured.UntilAsync(all => Sum(all, words) >= atLeast);

    public void Dispose() => _listener.Dispose();

    private static long Sum(IEnumerable<(string Line, long Value)> all, string[] words) =>
        all.Where(item => words.All(word => item.Line.Split(' ').Contains(word))).Sum(item => item.Value);
}

/// <summary>The system's clock with jumps, and timers that only jumps set off.</summary>
internal sealed class JumpingClock : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<JumpTimer> _timers = [];
    private long _ahead;

    /// <summary>How many timers were ever set, and how long for: tests wait for the one they mean to set off.</summary>
    public Recorder<TimeSpan> TimersSet { get; } = new();

    public void Jump(TimeSpan by)
    {
        Interlocked.Add(ref _ahead, (long)(by.TotalSeconds * TimestampFrequency));
        JumpTimer[] due;
        lock (_gate) due = [.. _timers.Where(timer => timer.DueAt <= GetTimestamp())];
        foreach (JumpTimer timer in due) timer.SetOff();
    }

    public override long GetTimestamp() => base.GetTimestamp() + Interlocked.Read(ref _ahead);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        JumpTimer timer = new(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class JumpTimer(JumpingClock clock, Action callback) : ITimer
    {
        public long DueAt { get; private set; } = long.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == Timeout.InfiniteTimeSpan) return true;
            lock (clock._gate)
            {
                DueAt = clock.GetTimestamp() + (long)(dueTime.TotalSeconds * clock.TimestampFrequency);
                clock._timers.Add(this);
            }

            clock.TimersSet.Add(dueTime);
            return true;
        }

        public void SetOff()
        {
            Dispose();
            callback();
        }

        public void Dispose()
        {
            lock (clock._gate) clock._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
