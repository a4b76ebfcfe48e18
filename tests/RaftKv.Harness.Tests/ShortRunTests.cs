using System.Text.Json;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Reports;

namespace RaftKv.Harness.Tests;

/// <summary>Whole runs against real nodes: CI's share of the harness.</summary>
public sealed class ShortRunTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("harness-tests-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public Task Registers_stay_linearizable_while_leaders_are_killed_and_the_network_is_parted() => RunAsync("register", "kill-leader,partition");

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_the_power_of_all_nodes_fails()
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root");
        await RunAsync("set", "power-cut-all");
    }

    [Fact]
    public async Task Nodes_in_namespaces_survive_connections_that_are_half_open_and_leave_no_network_behind()
    {
        Assert.SkipWhen(FaultCatalog.MissingFor(FaultNeeds.Root | FaultNeeds.Namespaces) is not null, $"{FaultCatalog.MissingFor(FaultNeeds.Root | FaultNeeds.Namespaces)}");
        await RunAsync("register", "packet-partition");
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries("/sys/class/net").Concat(Directory.EnumerateFileSystemEntries("/run/netns")), path => Path.GetFileName(path).StartsWith($"js{Environment.ProcessId}", StringComparison.Ordinal));
    }

    private async Task RunAsync(string workload, string faults)
    {
        (int exitCode, string output, string error) = await JepsenStyle.RunAsync("run", workload, "--faults", faults, "--time", "13s", "--rate", "200", "--concurrency", "8", "--shards", "2", "--seed", "11", "--out", _directory.FullName);
        Assert.True(exitCode == ExitCode.Valid, output + error);
        Assert.Contains("VALID: ", output, StringComparison.Ordinal);

        DirectoryInfo run = Assert.Single(_directory.EnumerateDirectories());
        ReportData report = JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(run.FullName, "report.json")), ReportJson.Default.ReportData)!;
        Assert.Equal("valid", report.Verdict);
        Assert.Equal(faults.Split(',').Order(), report.Faults.Select(fault => fault.Name).Distinct().Order());
        Assert.All(report.Faults, fault => Assert.True(fault.HasBitten));
        Assert.All(report.Faults, fault => Assert.NotEmpty(fault.Evidence));
        Assert.Contains(report.Sentence, File.ReadAllText(Path.Combine(run.FullName, "report.html")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(run.FullName, "n1", "data"))); // A valid run keeps its logs only.

        (int checkedAgain, string again, _) = await JepsenStyle.RunAsync("check", Path.Combine(run.FullName, "history.jsonl"));
        Assert.True(checkedAgain == ExitCode.Valid, again);
    }
}
