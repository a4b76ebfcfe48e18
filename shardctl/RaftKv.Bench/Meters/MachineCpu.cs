using System.Globalization;

namespace RaftKv.Bench.Meters;

/// <summary>What all processes of this machine have used: <c>/proc/stat</c>.</summary>
public static class MachineCpu
{
    /// <summary>User and system time since the machine started, without what interrupts take and without what the hypervisor gives to others.</summary>
    public static long BusyMicros() => Parse(File.ReadLines("/proc/stat").First());

    /// <summary>The fields of the first line (proc_stat(5)): the word cpu, user, nice, system, idle, …, in USER_HZ.</summary>
    internal static long Parse(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..4].Sum(field => long.Parse(field, CultureInfo.InvariantCulture)) * ProcessFigures.MicrosPerTick;
}
