using System.Diagnostics;
using System.Globalization;

namespace RaftKv.Shardctl.Tests.Bench;

/// <summary>A comparison as a user has it: the real programs. It ends what it started, and leaves nothing behind.</summary>
public sealed class ComparisonTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly string _directory = Directory.CreateTempSubdirectory("comparison-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Ctrl_C_ends_every_server_and_deletes_its_data()
    {
        using Process comparison = Start("--allocation-seconds", "600");
        try
        {
            await LineAsync(comparison, "one shard: counting");
            int[] servers = [.. Directory.GetFiles(_directory, "node.pid", SearchOption.AllDirectories).Select(file => int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture))];
            Assert.Equal(3, servers.Length);
            using Process interrupt = Process.Start("kill", ["-INT", $"{comparison.Id}"]);
            await LineAsync(comparison, "stopped; what was started has been ended");
            Assert.Equal(ExitCode.Error, await EndAsync(comparison));
            Assert.All(servers, id => Assert.False(Directory.Exists($"/proc/{id}"), $"process {id} is left"));
            Assert.Empty(Directory.GetFileSystemEntries(_directory));
        }
        finally
        {
            if (!comparison.HasExited) comparison.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task It_measures_clusters_of_its_own_and_shows_every_figure()
    {
        using Process comparison = Start("--allocation-seconds", "1", "--warm-up", "0.1");
        Task<string> output = comparison.StandardOutput.ReadToEndAsync();
        await LineAsync(comparison, "one shard beside 63 idle ones: counting");
        Assert.Equal(ExitCode.Ok, await EndAsync(comparison));
        string shown = await output;
        Assert.Contains("allocations: allocated per put", shown, StringComparison.Ordinal);
        Assert.Matches(@"one shard +\d+ +\d+ +\d+ \d+\n", shown);
        Assert.Matches(@"one shard beside 63 idle ones +\d+ +\d+ +\d+ \d+\n", shown);
        Assert.Matches(@"(reached|missed): bytes on the leader: \d+, goal ≤ 2048", shown);
        Assert.Empty(Directory.GetFileSystemEntries(_directory));
    }

    /// <summary>Through env, because who runs the tests in the background of a script has SIGINT ignored, and that is inherited.</summary>
    private Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo(
        "env", ["--default-signal=INT", Path.Combine(AppContext.BaseDirectory, "../../shardctl/release/shardctl"), "bench", "compare", "allocations", "--dir", _directory, .. arguments])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>Waits for a line of its progress.</summary>
    private static async Task LineAsync(Process process, string text)
    {
        using CancellationTokenSource limit = new(Patience);
        List<string> heard = [];
        while (await process.StandardError.ReadLineAsync(limit.Token) is { } line)
        {
            heard.Add(line);
            if (line.Contains(text, StringComparison.Ordinal)) return;
        }

        Assert.Fail($"it ended without '{text}', having said:\n{string.Join('\n', heard)}");
    }

    private static async Task<int> EndAsync(Process process)
    {
        using CancellationTokenSource limit = new(Patience);
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode;
    }
}
