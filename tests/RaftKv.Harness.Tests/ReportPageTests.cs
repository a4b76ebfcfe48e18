using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Reports;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Tests;

/// <summary>The page of a run in a browser: it shows what was found, and its scripts complain of nothing.</summary>
public sealed class ReportPageTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("report-tests-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Shows_a_violation_the_faults_and_how_to_repeat_it()
    {
        RunResult result = Convicted();
        ReportFiles.Write(result, _directory.FullName);
        (string page, string[] complaints) = await OpenAsync("report.html");
        Assert.Empty(complaints);
        string text = WebUtility.HtmlDecode(Regex.Replace(page, "<script.*?</script>|<[^>]*>", " ", RegexOptions.Singleline));
        Assert.Contains("INVALID", text, StringComparison.Ordinal);
        Assert.Contains("replay: a <write> was lost", text, StringComparison.Ordinal);
        Assert.Contains("p1 0.200000 s to 0.210000 s: put \"k\" = \"</script><b>\" → at 7", text, StringComparison.Ordinal);
        Assert.Contains("3 frames lost", text, StringComparison.Ordinal);
        Assert.Contains(result.Plan.CommandLine(), text, StringComparison.Ordinal);
        Assert.True(Regex.Count(page, "<svg") >= 3, "a time line and two charts");
    }

    [Fact]
    public async Task Shows_a_run_in_which_nothing_happened()
    {
        ReportFiles.Write(Convicted() with { Verdict = RunVerdict.Unknown, Reasons = ["the final read was not completed"], History = [], Checks = [], Faults = [], Leaders = [], EndedMicros = 0 }, _directory.FullName);
        (string page, string[] complaints) = await OpenAsync("report.html");
        Assert.Empty(complaints);
        Assert.Contains("UNKNOWN", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_summary_of_a_suite_names_each_run_and_leads_to_it()
    {
        SummaryPage.Write(Path.Combine(_directory.FullName, "summary.html"), "1.0", 3, [new SuiteEntry("set under kill", "1.0", "valid", [], 100, 2, 20.5, "out/set under kill-1"), new SuiteEntry("set under loss", "1.0", "unknown", ["not <run>: needs root"], 0, 0, 0, "")]);
        (string page, string[] complaints) = await OpenAsync("summary.html");
        Assert.Empty(complaints);
        Assert.Contains("2 of 3 runs: 1 valid, 0 invalid, 1 unknown", page, StringComparison.Ordinal);
        Assert.Contains("href=\"set%20under%20kill-1/report.html\"", page, StringComparison.Ordinal);
        Assert.Contains("not &lt;run&gt;: needs root", page, StringComparison.Ordinal);
    }

    /// <summary>That nothing is complained of says something only if a complaint would be heard.</summary>
    [Fact]
    public async Task A_script_that_fails_is_seen()
    {
        File.WriteAllText(Path.Combine(_directory.FullName, "broken.html"), "<script>nothing.here()</script>");
        (_, string[] complaints) = await OpenAsync("broken.html");
        Assert.Contains("ReferenceError", Assert.Single(complaints), StringComparison.Ordinal);
    }

    /// <summary>The document after its scripts have run, and whatever they wrote to the console.</summary>
    private async Task<(string Page, string[] Complaints)> OpenAsync(string file)
    {
        string? browser = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').SelectMany(directory => (string[])[Path.Combine(directory, "chromium"), Path.Combine(directory, "chromium-browser")]).FirstOrDefault(File.Exists);
        if (browser is null) Assert.Skip("chromium is not installed");
        ProcessStartInfo start = new(browser)
        {
            ArgumentList = { "--headless", "--no-sandbox", "--disable-gpu", $"--user-data-dir={Path.Combine(_directory.FullName, "profile")}", "--enable-logging=stderr", "--dump-dom", new Uri(Path.Combine(_directory.FullName, file)).AbsoluteUri },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string page = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(page.Length > 0, await error);
        return (page, [.. (await error).Split('\n').Where(line => line.Contains(":CONSOLE", StringComparison.Ordinal))]);
    }

    private static RunResult Convicted()
    {
        ClientCall put = new(1, 200_000, 210_000, CallKind.Put, [KvOperation.Put("k", "</script><b>")], OutcomeKind.Ok) { Results = [new KvResult("k", OutcomeKind.Ok, false, null, 7, 0, 0, null)] };
        ClientCall get = new(2, 300_000, 310_000, CallKind.Get, [KvOperation.Get("k")], OutcomeKind.Ok) { Results = [new KvResult("k", OutcomeKind.Ok, false, null, 0, 0, 0, null)] };
        Finding finding = new("replay", "a <write> was lost", [put, get], "in detail");
        return new RunResult(
            new RunPlan("register") { Faults = ["loss"], NodeOptions = [] }, RunVerdict.Invalid, ["replay: a <write> was lost"], [put, get], [new CheckVerdict("replay", 2, finding), new CheckVerdict("linearizability", 2, null, "too wide")],
            [new FaultRecord("loss", 100_000, 1_500_000, FaultBite.Of("all links", true, ("frames lost", 3)))], [new LeaderChange(50_000, 1, "n1", 6)], 3_000_000, DateTimeOffset.UnixEpoch);
    }
}
