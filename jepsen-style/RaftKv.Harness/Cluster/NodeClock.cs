using System.Globalization;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// What a node takes for the time: libfaketime stands between it and the kernel, and reads a file at every look at a clock. A node's life has one of two kinds of clock, for the library
/// moves either all clocks together or the wall clock alone.
/// </summary>
/// <remarks>
/// <para>Seen with libfaketime 0.9.10 and a node on .NET 10. With a clock that bends all, <c>+30</c> in the file moves CLOCK_REALTIME, CLOCK_MONOTONIC and CLOCK_BOOTTIME (the one of
/// consensus and of shard time) by 30 s, and <c>x1.2</c> makes them and timed waits faster, counted from the start of the process: so a new rate must come with the offset at which no
/// clock jumps. <c>+30</c> alone does not end an earlier rate, <c>x1.0</c> does. With FAKETIME_DONT_FAKE_MONOTONIC only the wall clock moves; without FAKETIME_FORCE_MONOTONIC_FIX=0 timed
/// waits then return at once, and a node takes a whole core.</para>
/// <para>Thread-safe: faults of two tracks may turn one clock.</para>
/// </remarks>
internal sealed class NodeClock(string file, bool bendsAll, TimeProvider time)
{
    /// <summary>The start of the process is known to some hundredths of a second, so a new rate comes with a little step forward rather than one back, which no such clock may make.</summary>
    private const double StepSeconds = 0.03;
    private readonly Lock _lock = new();
    private long _start = time.GetTimestamp();
    private double _offset;
    private double _rate = 1;

    /// <summary>As Debian installs it; null if it is not there.</summary>
    public static string? Library { get; } = Directory.Exists("/usr/lib") ? Directory.EnumerateDirectories("/usr/lib").Select(directory => Path.Combine(directory, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists) : null;

    /// <summary>All clocks of the process; else the wall clock alone.</summary>
    public bool BendsAll => bendsAll;

    /// <summary>Runs a program under it.</summary>
    public string[] Command =>
    [
        "env", $"LD_PRELOAD={Library}", $"FAKETIME_TIMESTAMP_FILE={file}", "FAKETIME_NO_CACHE=1", "NO_FAKE_STAT=1",
        .. bendsAll ? (string[])[] : ["FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_FORCE_MONOTONIC_FIX=0"],
    ];

    /// <summary>A process starts. A wall clock is the machine's and stays as it is; the others begin anew.</summary>
    public void OnStart()
    {
        lock (_lock)
        {
            _start = time.GetTimestamp();
            if (bendsAll) _offset = 0;
            Write();
        }
    }

    /// <summary>Sets the wall clock, by so much ahead of the right time.</summary>
    public void SetWall(TimeSpan ahead)
    {
        lock (_lock)
        {
            _offset = ahead.TotalSeconds;
            Write();
        }
    }

    /// <summary>From now on all clocks run at <paramref name="rate"/>; they go on from where they are.</summary>
    public void SetRate(double rate)
    {
        lock (_lock)
        {
            _offset += (time.GetElapsedTime(_start).TotalSeconds * (_rate - rate)) + StepSeconds;
            _rate = rate;
            Write();
        }
    }

    /// <summary>All clocks fall behind by <paramref name="lost"/>. The process must have stood still for longer, so that to itself none goes back.</summary>
    public void Lose(TimeSpan lost)
    {
        lock (_lock)
        {
            _offset -= lost.TotalSeconds * _rate;
            Write();
        }
    }

    /// <summary>What the file says: so much later than it is, times the speed.</summary>
    public static string Text(double offset, double rate) => string.Create(CultureInfo.InvariantCulture, $"{offset:+0.000000;-0.000000} x{rate:0.0###}\n");

    /// <summary>Whole or not at all: it is read at any moment.</summary>
    private void Write()
    {
        string next = file + ".next";
        File.WriteAllText(next, Text(_offset, _rate));
        File.Move(next, file, overwrite: true);
    }
}
