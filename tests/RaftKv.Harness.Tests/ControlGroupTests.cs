using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Tests;

/// <summary>Control groups of both versions by their files' names, in a directory that stands for the kernel's.</summary>
public sealed class ControlGroupTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("harness-tests-");

    private string[] Mounts => ["proc /proc proc rw 0 0", $"cgroup2 {_root.FullName} cgroup2 rw,nosuid 0 0"];

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public void A_tree_of_its_own_is_version_1()
    {
        string[] mounts = ["tmpfs /sys/fs/cgroup tmpfs rw 0 0", "cgroup /groups/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0", "cgroup /groups/memory cgroup rw,memory 0 0", .. Mounts];
        Assert.Equal(new GroupTree(GroupController.Cpu, "/groups/cpu,cpuacct", false), GroupTree.In(mounts, GroupController.Cpu));
        Assert.Equal(new GroupTree(GroupController.Memory, "/groups/memory", false), GroupTree.In(mounts, GroupController.Memory));
    }

    [Fact]
    public void Version_2_counts_if_it_offers_the_controller()
    {
        Assert.Null(GroupTree.In(Mounts, GroupController.Cpu));
        Kernel("cgroup.controllers", "cpuset cpu io memory pids\n");
        Assert.Equal(new GroupTree(GroupController.Cpu, _root.FullName, true), GroupTree.In(Mounts, GroupController.Cpu));
    }

    [Theory]
    [InlineData(true, "/user.slice/a b")]
    [InlineData(false, "/process_api/7")]
    public void The_place_of_a_process_is_found(bool isUnified, string place)
    {
        string[] lines = ["8:pids:/", "4:memory:/process_api/7", "1:cpu,cpuacct:/", "0::/user.slice/a b"];
        Assert.Equal("/sys/fs/tree" + place, new GroupTree(GroupController.Memory, "/sys/fs/tree", isUnified).PathOf(lines));
        Assert.Equal("/sys/fs/tree", new GroupTree(GroupController.Cpu, "/sys/fs/tree", false).PathOf(lines));
    }

    [Fact]
    public void Version_2_limits_the_cpu_and_says_how_often_that_bit()
    {
        Kernel("cgroup.controllers", "cpu memory");
        Kernel("cgroup.subtree_control", "memory");
        ControlGroup group = Make(GroupController.Cpu);
        Assert.Equal("+cpu", File.ReadAllText(Path.Combine(_root.FullName, "cgroup.subtree_control")));
        group.LimitCpu(20);
        Assert.Equal("20000 100000", Written("cpu.max"));
        Kernel("g/cpu.stat", "usage_usec 9\nnr_periods 40\nnr_throttled 3\nthrottled_usec 70500\n");
        Assert.Equal((3, TimeSpan.FromMilliseconds(70.5)), group.Throttled());
        group.Add(17, ["0::/"]);
        Assert.Equal("17", Written("cgroup.procs"));
    }

    [Fact]
    public void Version_2_limits_memory_and_says_what_it_refused()
    {
        Kernel("cgroup.controllers", "cpu memory");
        Kernel("cgroup.subtree_control", "cpu memory");
        ControlGroup group = Make(GroupController.Memory);
        Assert.Equal("cpu memory", File.ReadAllText(Path.Combine(_root.FullName, "cgroup.subtree_control")));
        Assert.True(group.TryLimitMemory(4 << 20));
        Assert.Equal("4194304", Written("memory.max"));
        Kernel("g/memory.current", "4000000\n");
        Kernel("g/memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\n");
        Assert.Equal((4_000_000, 12, 1), (group.MemoryBytes, group.MemoryRefusals, group.OutOfMemoryKills));
    }

    [Fact]
    public async Task A_process_goes_back_to_where_it_was_and_the_group_is_removed()
    {
        Kernel("cgroup.controllers", "cpu");
        Kernel("cgroup.subtree_control", "cpu");
        Directory.CreateDirectory(Path.Combine(_root.FullName, "home"));
        ControlGroup group = Make(GroupController.Cpu);
        group.Add(17, ["0::/home"]);
        File.Delete(Path.Combine(group.Path, "cgroup.procs")); // The kernel's files do not keep a group from being removed.
        await group.DeleteAsync();
        Assert.False(Directory.Exists(group.Path));
        Assert.Equal("17", File.ReadAllText(Path.Combine(_root.FullName, "home", "cgroup.procs")));
    }

    private ControlGroup Make(GroupController controller) => ControlGroup.Create(GroupTree.In(Mounts, controller)!, Path.Combine(_root.FullName, "g"));

    private void Kernel(string file, string text) => File.WriteAllText(Path.Combine(_root.FullName, file), text);

    private string Written(string file) => File.ReadAllText(Path.Combine(_root.FullName, "g", file));
}
