using System.ComponentModel;
using System.Runtime.InteropServices;

namespace RaftKv.Node.Native;

/// <summary>Microseconds of CLOCK_BOOTTIME: never set by anyone, and it counts a suspended machine's sleep, as Stopwatch does not.</summary>
/// <remarks>
/// Bound through the main program's symbols, not libc's own: so a library that is preloaded to bend time (libfaketime) reaches
/// it, and clock faults can be tested (design §6). Any thread.
/// </remarks>
internal static unsafe class BootClock
{
    private const int ClockBootTime = 7;

    private static readonly delegate* unmanaged<int, TimeSpec*, int> GetTime =
        (delegate* unmanaged<int, TimeSpec*, int>)NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "clock_gettime");

    public static long NowMicros
    {
        get
        {
            TimeSpec time;
            if (GetTime(ClockBootTime, &time) != 0) throw new Win32Exception("clock_gettime(CLOCK_BOOTTIME) failed");
            return time.Seconds * 1_000_000 + time.Nanoseconds / 1_000;
        }
    }

    /// <summary><c>struct timespec</c> of 64-bit Linux.</summary>
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
