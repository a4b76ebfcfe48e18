using System.CommandLine;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Harness.Failover;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style failover</c>: how long writes stop when a leader does, beside etcd.</summary>
internal static class FailoverVerb
{
    private const int DefaultRepetitions = 20;
    private const int MaxRepetitions = 10_000;

    public static Command Create(Screen screen)
    {
        Option<int?> repetitions = RunVerb.Number("--reps", $"Of each fault, with each system. [default: {DefaultRepetitions}]");
        Option<string> faults = new("--faults") { Description = "What hits the leader.", HelpName = "NAME,...", DefaultValueFactory = _ => string.Join(',', LeaderFault.Names) };
        Option<int?> shards = RunVerb.Number("--shards", "Of RaftKv; etcd has none. [default: 1]");
        Option<string> protocol = new("--protocol") { Description = "How RaftKv is spoken to; etcd is over HTTP/2.", HelpName = "http1|http2", DefaultValueFactory = _ => "http2" };
        Option<string> peer = new("--peer") { Description = "Measured beside it, repetition by repetition.", HelpName = "etcd|none", DefaultValueFactory = _ => "etcd" };
        Option<string> etcd = new("--etcd") { Description = "The etcd to compare with.", HelpName = "PROGRAM", DefaultValueFactory = _ => "etcd" };
        Option<int?> seed = RunVerb.Number("--seed", "Equal seeds make equal choices. [default: 1]");
        Option<string> output = new("--out") { Description = "On a disk: where the results are kept, and the clusters while they run.", HelpName = "DIR", DefaultValueFactory = _ => "out/failover" };
        Option<bool> fresh = new("--fresh") { Description = "Forget what was measured before." };
        Option<string> format = new("--output", "-o") { Description = "How to show the result.", HelpName = "table|json", DefaultValueFactory = _ => "table" };
        Command command = new("failover", "Measure how long writes stop when the leader is killed, paused, cut off, told to stop, or its disk hangs. A repetition takes some 7 s. Goes on where it was stopped, as long as the nodes' build is the same.")
        {
            repetitions, faults, shards, protocol, peer, etcd, seed, output, fresh, format,
        };
        command.SetAction(async (result, _) =>
        {
            string shown = result.GetValue(format)!;
            if (shown is not ("table" or "json")) throw new CommandException(ExitCode.Usage, $"--output {shown}: must be table or json");
            string spoken = result.GetValue(protocol)!;
            if (spoken is not ("http1" or "http2")) throw new CommandException(ExitCode.Usage, $"--protocol {spoken}: must be http1 or http2");
            FailoverSettings settings = await SettingsAsync(
                FaultsIn(result.GetValue(faults)!), InRange("--reps", result.GetValue(repetitions) ?? DefaultRepetitions, MaxRepetitions), InRange("--shards", result.GetValue(shards) ?? 1, RunPlan.MaxShards),
                isHttp1: spoken == "http1", result.GetValue(seed) ?? 1, result.GetValue(peer)!, result.GetValue(etcd)!, Path.GetFullPath(result.GetValue(output)!));
            if (result.GetValue(fresh)) File.Delete(settings.ResultsFile);
            return await RunAsync(screen, settings, result.GetValue(etcd)!, isJson: shown == "json");
        });
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, FailoverSettings settings, string etcd, bool isJson)
    {
        using StopSignals signals = new();
        try
        {
            string? etcdVersion = settings.Etcd is null ? null : await EtcdVersionAsync(etcd, signals.Stop);
            IReadOnlyList<FailoverResult> results = await screen.WithSpinnerAsync("failover", async spinner =>
            {
                await using FailoverRun run = new(settings, new StepProgress(screen, spinner));
                return await run.RunAsync(signals.Stop);
            });
            FailoverText.Show(screen, FailoverText.Summarise(settings.Build, etcdVersion, settings.Shards, results), settings.ResultsFile, isJson);
            return ExitCode.Valid;
        }
        catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.Unknown, "stopped; the same command goes on from here");
        }
        catch (FailoverFailedException failure)
        {
            throw new CommandException(ExitCode.Unknown, $"{failure.Message}; the same command goes on from here");
        }
    }

    /// <summary>Throws <see cref="CommandException"/> for what this machine, or the command line, lacks; nothing was started then.</summary>
    private static async Task<FailoverSettings> SettingsAsync(string[] faults, int repetitions, int shards, bool isHttp1, int seed, string peer, string etcd, string directory)
    {
        if (peer is not ("etcd" or "none")) throw new CommandException(ExitCode.Usage, $"--peer {peer}: must be etcd or none");
        string? imaged = faults.FirstOrDefault(LeaderFault.NeedsImages);
        if (imaged is not null && Environment.UserName != "root") throw new CommandException(ExitCode.Usage, $"fault '{imaged}' needs root; --faults names the others");
        string program = NodeProgramFile.Find(Environment.GetEnvironmentVariable(NodeProgramFile.Variable));
        if (peer == "etcd") await EtcdVersionAsync(etcd, CancellationToken.None);
        Directory.CreateDirectory(directory);
        if (BlockDevice.Under(directory).IsInMemory) throw new CommandException(ExitCode.Usage, $"--out {directory} is in memory, where a sync costs nothing; name one on a disk");
        return new FailoverSettings(faults, repetitions, shards, isHttp1, seed, program, await NodeBuild.OfAsync(program), peer == "etcd" ? etcd : null, directory);
    }

    private static async Task<string> EtcdVersionAsync(string program, CancellationToken stop) =>
        await EtcdProgram.VersionAsync(program, stop) ?? throw new CommandException(ExitCode.Usage, $"--etcd {program}: this is no etcd; install Debian's package etcd-server, name the program, or do without: --peer none");

    private static string[] FaultsIn(string names)
    {
        string[] faults = [.. names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct()];
        if (faults.FirstOrDefault(fault => !LeaderFault.Names.Contains(fault)) is { } unknown) throw new CommandException(ExitCode.Usage, $"there is no fault '{unknown}' of leaders; there are {string.Join(", ", LeaderFault.Names)}");
        return faults.Length > 0 ? faults : throw new CommandException(ExitCode.Usage, "--faults names none");
    }

    private static int InRange(string option, int number, int most) => number >= 1 && number <= most ? number : throw new CommandException(ExitCode.Usage, $"{option} {number}: must be from 1 to {most}");
}
