using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Shardctl.Bench;
using RaftKv.Shardctl.Bench.Servers;
using RaftKv.Shardctl.Bench.Suites;

namespace RaftKv.Shardctl;

/// <summary>
/// <c>shardctl bench compare</c>: starts three RaftKv nodes and three etcd members in a temporary directory, and measures one beside the
/// other. It ends what it started, and nothing else, however it is stopped.
/// </summary>
internal static class BenchCompareVerb
{
    private static readonly ImmutableArray<Suite> s_suites =
    [
        new(PutsSuite.Name, "puts beside etcd's, with and without idempotency keys", NeedsEtcd: true, PutsSuite.RunAsync),
        new(GetsSuite.Name, "linearizable gets beside etcd's", NeedsEtcd: true, GetsSuite.RunAsync),
        new(ShardsSuite.Name, "puts to 64 shards beside one", NeedsEtcd: false, ShardsSuite.RunAsync),
        new(IdleSuite.Name, "CPU and memory of clusters without clients, beside etcd's", NeedsEtcd: true, IdleSuite.RunAsync),
        new(KillsSuite.Name, "how long writes stop after kill -9 of a leader, beside etcd's", NeedsEtcd: true, KillsSuite.RunAsync),
        new(AllocationsSuite.Name, "what a put allocates", NeedsEtcd: false, AllocationsSuite.RunAsync),
    ];

    private static readonly Argument<string[]> s_benches = new("bench")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = $"Which to run, all if none is named: {string.Join("; ", s_suites.Select(suite => $"{suite.Name}: {suite.Description}"))}.",
    };

    private static readonly Option<string> s_etcd = new("--etcd") { Description = "The etcd to compare with.", HelpName = "PROGRAM", DefaultValueFactory = _ => "etcd" };
    private static readonly Option<string> s_directory = new("--dir") { Description = "On the disk to be used; a directory is made in it and deleted at the end. [default: the system's for temporary files]", HelpName = "DIR" };
    private static readonly Option<int> s_rounds = BenchVerb.Whole("--rounds", "How often each load is measured.", 5);
    private static readonly Option<double> s_seconds = BenchVerb.Seconds("--seconds", "How long each time.", 10);
    private static readonly Option<double> s_warmUp = BenchVerb.Seconds("--warm-up", "How long to run before that.", 3);
    private static readonly Option<int> s_kills = BenchVerb.Whole("--kills", "How many leaders to kill, of each system.", 20);
    private static readonly Option<double> s_idleSeconds = BenchVerb.Seconds("--idle-seconds", "How long to watch idle clusters, after as long a rest.", 60);
    private static readonly Option<double> s_allocationSeconds = BenchVerb.Seconds("--allocation-seconds", "How long to count allocations.", 60);
    private static readonly Option<int> s_seed = BenchVerb.Whole("--seed", "Equal seeds draw equal requests.", 1);

    public static Command Create(Screen screen)
    {
        Command command = new("compare", "Start three RaftKv nodes and three etcd members on this machine and measure one beside the other. Never both at once; all of it takes some 45 minutes.")
        {
            s_benches, s_etcd, s_directory, s_rounds, s_seconds, s_warmUp, s_kills, s_idleSeconds, s_allocationSeconds, s_seed, GlobalOptions.Output,
        };
        command.SetAction(async (result, _) =>
        {
            using StopSignals signals = new();
            try
            {
                await RunAsync(screen, result, signals.Stop);
                return ExitCode.Ok;
            }
            catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
            {
                throw new CommandException(ExitCode.Error, "stopped; what was started has been ended, and its data deleted");
            }
            catch (LoadException failure)
            {
                throw new CommandException(ExitCode.Error, failure.Message);
            }
        });
        return command;
    }

    private static async Task RunAsync(Screen screen, ParseResult result, CancellationToken cancellation)
    {
        GlobalOptions.Refuse(result, "compare", GlobalOptions.Endpoints, GlobalOptions.Seconds);
        bool isJson = GlobalOptions.IsJson(result);
        Suite[] suites = SuitesOf(result.GetValue(s_benches)!);
        DirectoryInfo directory = MakeDirectory(result.GetValue(s_directory));
        try
        {
            CompareSettings settings = SettingsOf(result, directory.FullName);
            EnvironmentOutput environment = await EnvironmentOfAsync(settings, suites.Any(suite => suite.NeedsEtcd), cancellation);
            if (!isJson) CompareText.Show(screen, environment);
            List<BenchOutput> outputs = [];
            foreach (Suite suite in suites)
            {
                outputs.Add(await screen.WithSpinnerAsync(suite.Name, say => suite.Run(settings, new StepProgress(screen, text => say($"{suite.Name}: {text}")), cancellation)));
                if (!isJson) CompareText.Show(screen, outputs[^1]);
            }

            if (isJson) screen.Line(OutputJson.Write(new CompareOutput(environment, [.. outputs]), OutputJson.OfCluster.CompareOutput));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static Suite[] SuitesOf(string[] names)
    {
        string? unknown = names.FirstOrDefault(name => s_suites.All(suite => suite.Name != name));
        if (unknown is not null) throw new CommandException(ExitCode.Usage, $"there is no bench '{unknown}'; there are {string.Join(", ", s_suites.Select(suite => suite.Name))}");
        return [.. s_suites.Where(suite => names.Length == 0 || names.Contains(suite.Name))];
    }

    private static DirectoryInfo MakeDirectory(string? wanted)
    {
        string parent = Path.GetFullPath(wanted ?? Path.GetTempPath());
        if (!Directory.Exists(parent)) throw new CommandException(ExitCode.Usage, $"--dir {parent}: there is no such directory");
        if (BlockDevice.Under(parent).IsInMemory) throw new CommandException(ExitCode.Usage, $"--dir {parent} is in memory, where a sync costs nothing; name one on a disk");
        try
        {
            return Directory.CreateDirectory(Path.Combine(parent, $"raftkv-bench-{Path.GetRandomFileName()}"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"--dir {parent}: {exception.Message}");
        }
    }

    private static CompareSettings SettingsOf(ParseResult result, string directory)
    {
        return new CompareSettings(
            AtLeastOne(s_rounds), Positive(s_seconds), WarmUp(), AtLeastOne(s_kills), Positive(s_idleSeconds), Positive(s_allocationSeconds),
            result.GetValue(s_seed), directory, NodeProgramFile.Find(Environment.GetEnvironmentVariable(NodeProgramFile.Variable)), result.GetValue(s_etcd)!);

        int AtLeastOne(Option<int> option) => result.GetValue(option) is > 0 and var number ? number : throw new CommandException(ExitCode.Usage, $"{option.Name} {result.GetValue(option)}: must be at least 1");
        TimeSpan WarmUp() => result.GetValue(s_warmUp) is >= 0 and <= LoadPlan.MaxSeconds and var seconds
            ? TimeSpan.FromSeconds(seconds)
            : throw new CommandException(ExitCode.Usage, string.Create(CultureInfo.InvariantCulture, $"{s_warmUp.Name} {result.GetValue(s_warmUp)}: must be from 0 to {LoadPlan.MaxSeconds}"));
        TimeSpan Positive(Option<double> option) => result.GetValue(option) is > 0 and <= LoadPlan.MaxSeconds and var seconds
            ? TimeSpan.FromSeconds(seconds)
            : throw new CommandException(ExitCode.Usage, string.Create(CultureInfo.InvariantCulture, $"{option.Name} {result.GetValue(option)}: must be above 0 and at most {LoadPlan.MaxSeconds}"));
    }

    private static async Task<EnvironmentOutput> EnvironmentOfAsync(CompareSettings settings, bool hasEtcd, CancellationToken cancellation) => new(
        settings.NodeProgram, hasEtcd ? settings.Etcd : null, hasEtcd ? await EtcdCluster.VersionAsync(settings.Etcd, cancellation) : null, Environment.ProcessorCount, Environment.OSVersion.Version.ToString(),
        BlockDevice.Under(settings.Directory).Filesystem, LoadAverage(), settings.Rounds, settings.Duration.TotalSeconds, settings.WarmUp.TotalSeconds, settings.Seed);

    private static double LoadAverage() => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>One bench.</summary>
    private sealed record Suite(string Name, string Description, bool NeedsEtcd, Func<CompareSettings, StepProgress, CancellationToken, Task<BenchOutput>> Run);
}
