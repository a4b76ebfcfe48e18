using System.Globalization;

namespace RaftKv.Harness.Cluster;

/// <summary>What a control group limits.</summary>
internal enum GroupController
{
    Cpu,
    Memory,
}

/// <summary>
/// A control group of ours with one limit: cgroups(7), of version 1, which has a tree for each controller, or of version 2, which has one tree for all. Needs root.
/// </summary>
/// <remarks>Owned by one fault; not thread-safe.</remarks>
internal sealed class ControlGroup
{
    private const int PeriodMicros = 100_000;
    private readonly GroupTree _tree;
    private readonly Dictionary<int, string> _homes = [];

    private ControlGroup(GroupTree tree, string path) => (_tree, Path) = (tree, path);

    public string Path { get; }

    /// <summary>Makes an empty one without a limit, written down in <paramref name="made"/> first.</summary>
    public static ControlGroup Create(GroupTree tree, string name, MadeThings made)
    {
        string path = System.IO.Path.Combine(tree.Root, name);
        made.AddGroup(path);
        return Create(tree, path);
    }

    /// <summary>As above, written down nowhere.</summary>
    public static ControlGroup Create(GroupTree tree, string path)
    {
        if (tree.IsUnified) tree.PassOn();
        Directory.CreateDirectory(path);
        return new ControlGroup(tree, path);
    }

    /// <summary>Moves a process here, all of its threads. What memory it has stays charged to where it was; what it takes from now on is charged here.</summary>
    /// <param name="groups">The lines of /proc/PID/cgroup: where it goes back to.</param>
    public void Add(int processId, IEnumerable<string> groups)
    {
        _homes[processId] = _tree.PathOf(groups);
        Write("cgroup.procs", processId);
    }

    /// <summary>So much of one core.</summary>
    public void LimitCpu(int percent)
    {
        int quota = PeriodMicros * percent / 100;
        if (_tree.IsUnified)
        {
            Write("cpu.max", $"{quota} {PeriodMicros}");
            return;
        }

        Write("cpu.cfs_period_us", PeriodMicros);
        Write("cpu.cfs_quota_us", quota);
    }

    /// <summary>False when version 1 refuses it, because the processes hold more and nothing of it can be taken from them; version 2 kills then.</summary>
    public bool TryLimitMemory(long bytes)
    {
        try
        {
            Write(_tree.IsUnified ? "memory.max" : "memory.limit_in_bytes", bytes);
            return true;
        }
        catch (IOException) when (!_tree.IsUnified)
        {
            return false;
        }
    }

    /// <summary>How often its threads had to wait for the next period, and for how long together.</summary>
    public (long Times, TimeSpan Time) Throttled() => _tree.IsUnified
        ? (Count("cpu.stat", "nr_throttled"), TimeSpan.FromMicroseconds(Count("cpu.stat", "throttled_usec")))
        : (Count("cpu.stat", "nr_throttled"), TimeSpan.FromMicroseconds(Count("cpu.stat", "throttled_time") / 1_000));

    public long MemoryBytes => Number(_tree.IsUnified ? "memory.current" : "memory.usage_in_bytes");

    /// <summary>How often memory was asked for that the limit did not give at once.</summary>
    public long MemoryRefusals => _tree.IsUnified ? Count("memory.events", "max") : Number("memory.failcnt");

    /// <summary>Processes that the kernel has killed here for want of memory.</summary>
    public long OutOfMemoryKills => Count(_tree.IsUnified ? "memory.events" : "memory.oom_control", "oom_kill");

    /// <summary>Moves its processes that live still back to where they came from, and removes it.</summary>
    public async Task DeleteAsync()
    {
        foreach (var (processId, home) in _homes)
        {
            try
            {
                File.WriteAllText(System.IO.Path.Combine(home, "cgroup.procs"), processId.ToString(CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // It has gone.
            }
        }

        if (!await TryRemoveAsync(Path)) throw new ToolFailedException($"{Path}: the control group cannot be removed");
    }

    /// <summary>Removes a group. A process that was just killed may still be in it for a moment.</summary>
    public static async Task<bool> TryRemoveAsync(string path)
    {
        const int Tries = 50;
        for (int tried = 0; tried < Tries && Directory.Exists(path); tried++)
        {
            if (tried > 0) await Task.Delay(100);
            try
            {
                Directory.Delete(path);
            }
            catch (IOException)
            {
                // Once more.
            }
        }

        return !Directory.Exists(path);
    }

    private void Write(string file, object what) => File.WriteAllText(System.IO.Path.Combine(Path, file), Convert.ToString(what, CultureInfo.InvariantCulture));

    private long Number(string file) => long.Parse(File.ReadAllText(System.IO.Path.Combine(Path, file)), CultureInfo.InvariantCulture);

    /// <summary>Of a file with a line "name count" each; 0 if the kernel does not count it.</summary>
    private long Count(string file, string name)
    {
        string? line = File.ReadLines(System.IO.Path.Combine(Path, file)).FirstOrDefault(line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }
}

/// <summary>Where the groups of a controller are mounted.</summary>
/// <param name="IsUnified">Version 2.</param>
internal sealed record GroupTree(GroupController Controller, string Root, bool IsUnified)
{
    /// <summary>On this machine; null if it has none.</summary>
    public static GroupTree? Of(GroupController controller) => File.Exists("/proc/mounts") ? In(File.ReadLines("/proc/mounts"), controller) : null;

    /// <summary>By the lines of /proc/mounts: version 1 if the controller has a tree of its own there, else version 2 if that offers it.</summary>
    public static GroupTree? In(IEnumerable<string> mounts, GroupController controller)
    {
        string[][] groups = [.. mounts.Select(line => line.Split(' ')).Where(fields => fields.Length > 3 && fields[2] is "cgroup" or "cgroup2")];
        if (groups.FirstOrDefault(fields => fields[2] == "cgroup" && fields[3].Split(',').Contains(NameOf(controller))) is { } own) return new GroupTree(controller, own[1], false);
        return groups.FirstOrDefault(fields => fields[2] == "cgroup2" && Words(fields[1], "cgroup.controllers").Contains(NameOf(controller))) is { } all ? new GroupTree(controller, all[1], true) : null;
    }

    /// <summary>The group that a process is in, by the lines of /proc/PID/cgroup: <c>4:memory:/some/group</c>, of version 2 <c>0::/some/group</c>.</summary>
    public string PathOf(IEnumerable<string> lines)
    {
        string place = lines.Select(line => line.Split(':', 3)).First(fields => IsUnified ? fields[1].Length == 0 : fields[1].Split(',').Contains(NameOf(Controller)))[2];
        return Root + place.TrimEnd('/');
    }

    /// <summary>Lets groups below the root limit by this controller.</summary>
    public void PassOn()
    {
        const string Passed = "cgroup.subtree_control";
        if (!Words(Root, Passed).Contains(NameOf(Controller))) File.WriteAllText(Path.Combine(Root, Passed), $"+{NameOf(Controller)}");
    }

    private static string NameOf(GroupController controller) => controller.ToString().ToLowerInvariant();

    private static string[] Words(string directory, string file) => Path.Combine(directory, file) is var path && File.Exists(path) ? File.ReadAllText(path).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries) : [];
}
