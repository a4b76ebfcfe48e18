using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace RaftKv.Benchmarks;

/// <summary>The stages of the write path, each alone, and the checker that has to keep up with them: <c>make microbench</c>. Never a test: what they come to depends on the machine.</summary>
internal static class Program
{
    // In this process: a generated project would inherit the settings of this repository's.
    private static readonly IConfig s_config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance)).WithOptions(ConfigOptions.JoinSummary);

    public static void Main(string[] arguments) => BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(arguments.Length == 0 ? ["--filter", "*"] : arguments, s_config);
}
