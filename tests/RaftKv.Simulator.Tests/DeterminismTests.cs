using System.Diagnostics;

namespace RaftKv.Simulator.Tests;

/// <summary>One seed, one run: without that a failure could not be replayed (testing/simulation.md §5.3).</summary>
public sealed class DeterminismTests
{
    private const int Seconds = 20;

    [Fact]
    public void Same_seed_gives_a_byte_identical_trace_in_one_process()
    {
        foreach (ulong seed in new ulong[] { 8, 162, 330, 1952 })
        {
            string first = TraceOf(seed);
            Assert.Contains("leads", first, StringComparison.Ordinal);
            if (seed == 1952) Assert.Contains(" plans: ", first, StringComparison.Ordinal);
            Assert.Equal(first, TraceOf(seed));
        }
    }

    [Fact]
    public void Same_seed_gives_a_byte_identical_trace_in_a_fresh_process()
    {
        foreach (ulong seed in new ulong[] { 8, 1952 })
        {
            string program = Path.Combine(AppContext.BaseDirectory, "RaftKv.Simulator.dll");
            using Process process = Process.Start(new ProcessStartInfo("dotnet", [program, "replay", "--seed", $"{seed}", "--seconds", $"{Seconds}"])
            {
                RedirectStandardOutput = true,
                Environment = { ["DOTNET_TieredPGO"] = "0" },
            })!;
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            string trace = TraceOf(seed);
            Assert.Equal(trace, output[..trace.Length]);
            Assert.StartsWith($"seed {seed}: ", output[trace.Length..], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Another_seed_gives_another_run() => Assert.NotEqual(Runs.TryRun(8, Seconds, null).Result!.Fingerprint, Runs.TryRun(9, Seconds, null).Result!.Fingerprint);

    [Fact]
    public void A_trace_changes_nothing()
    {
        ulong traced = Runs.TryRun(11, Seconds, TextWriter.Null).Result!.Fingerprint;
        Assert.Equal(traced, Runs.TryRun(11, Seconds, null).Result!.Fingerprint);
    }

    private static string TraceOf(ulong seed)
    {
        using StringWriter trace = new();
        (_, Exception? failure) = Runs.TryRun(seed, Seconds, trace);
        Assert.Null(failure);
        return trace.ToString();
    }
}
