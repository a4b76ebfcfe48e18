namespace RaftKv.Harness.Tests;

/// <summary>One clear line, exit code 2, and nothing left behind (issue 3, "Bad input").</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("harness-tests-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("there is no workload 'dance'; there are register, append, ", "run", "dance")]
    [InlineData("workload 'watch': unsupported", "run", "watch")]
    [InlineData("there is no fault 'boredom'", "run", "register", "--faults", "kill,boredom")]
    [InlineData("fault 'split': not yet, it needs the shard controller", "run", "register", "--faults", "split")]
    [InlineData("ring needs 5 nodes", "run", "register", "--faults", "ring")]
    [InlineData("nodes 99: must be from 1 to 9", "run", "register", "--nodes", "99")]
    [InlineData("concurrency 0: must be from 1 to 1000", "run", "register", "--concurrency", "0")]
    [InlineData("'soon' is no time", "run", "register", "--time", "soon")]
    [InlineData("--time 5s: too short for 1 process faults", "run", "register", "--time", "5s", "--faults", "kill")]
    [InlineData("no-such.json: Could not find file", "run", "no-such.json")]
    [InlineData("no-such.jsonl: Could not find file", "check", "no-such.jsonl")]
    [InlineData("there is no fault 'sigh' of leaders; there are kill, pause, isolate, stop, hang", "failover", "--faults", "kill,sigh")]
    [InlineData("--faults names none", "failover", "--faults", ",")]
    [InlineData("--reps 0: must be from 1 to 10000", "failover", "--reps", "0")]
    [InlineData("--shards 999: must be from 1 to 256", "failover", "--shards", "999")]
    [InlineData("--peer zookeeper: must be etcd or none", "failover", "--peer", "zookeeper")]
    [InlineData("--etcd no-such-program: this is no etcd", "failover", "--etcd", "no-such-program", "--faults", "kill")]
    [InlineData("--protocol spdy: must be http1 or http2", "failover", "--protocol", "spdy")]
    [InlineData("--output yaml: must be table or json", "failover", "-o", "yaml")]
    public async Task Is_named(string named, params string[] arguments)
    {
        bool makesFiles = arguments[0] is "run" or "failover";
        (int exitCode, _, string error) = await JepsenStyle.RunAsync(makesFiles ? [.. arguments, "--out", _directory.FullName] : arguments);
        Assert.Equal(ExitCode.Usage, exitCode);
        string line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("jepsen-style: ", line, StringComparison.Ordinal);
        Assert.Contains(named, line, StringComparison.Ordinal);
        Assert.Empty(_directory.EnumerateFileSystemInfos());
    }

    [Theory]
    [InlineData("{", "plan.json: ")]
    [InlineData("""{"workload":"set","node":3}""", "could not be mapped")]
    [InlineData("""{"nodes":3}""", "missing required properties")]
    [InlineData("null", "null is no plan")]
    public async Task A_plan_that_does_not_parse_is_named(string plan, string named)
    {
        string path = Path.Combine(_directory.FullName, "plan.json");
        File.WriteAllText(path, plan);
        (int exitCode, _, string error) = await JepsenStyle.RunAsync("run", path, "--out", Path.Combine(_directory.FullName, "out"));
        Assert.Equal(ExitCode.Usage, exitCode);
        Assert.Contains(named, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Single(_directory.EnumerateFileSystemInfos());
    }
}
