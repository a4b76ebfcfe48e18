using System.CommandLine;
using System.Globalization;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Client;
using RaftKv.Shardctl.Bench;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl bench</c>: a closed-loop load on a running cluster, RaftKv's or etcd's, and what it came to.</summary>
internal static class BenchVerb
{
    private const int SharedConnections = 8;

    private static readonly Option<string> s_target = new("--target") { Description = "What answers at the endpoints.", HelpName = "raftkv|etcd", DefaultValueFactory = _ => "raftkv" };
    private static readonly Option<string> s_protocol = new("--protocol") { Description = "How RaftKv is spoken to. etcd is spoken to by gRPC.", HelpName = "http1|http2", DefaultValueFactory = _ => "http1" };
    private static readonly Option<int> s_clients = Whole("--clients", "Clients, each with one request under way.", 64);
    private static readonly Option<int> s_connections = new("--connections") { CustomParser = GlobalOptions.WholeNumber, Description = $"Connections that the clients share. [default: {SharedConnections}; over http1 one for each client]", HelpName = "N" };
    private static readonly Option<int> s_valueBytes = Whole("--value-bytes", "Length of a value.", 256);
    private static readonly Option<int> s_keys = Whole("--keys", "How many keys, of 16 bytes, drawn evenly.", 100_000);
    private static readonly Option<int> s_reads = Whole("--reads", "Linearizable gets among the requests, in percent; the others are puts.", 0);
    private static readonly Option<double> s_seconds = Seconds("--seconds", "How long to measure.", 10);
    private static readonly Option<double> s_warmUp = Seconds("--warm-up", "How long to run before that.", 3);
    private static readonly Option<int> s_seed = Whole("--seed", "Equal seeds draw equal requests.", 1);
    private static readonly Option<bool> s_fill = new("--fill") { Description = "Write every key once before." };
    private static readonly Option<bool> s_idempotencyKeys = new("--idempotency-keys") { Description = "Give every put an idempotency key. RaftKv only." };
    private static readonly Option<string> s_serverPids = new("--server-pids") { Description = "Processes of this machine whose use to show, instead of what the servers say themselves.", HelpName = "PID,..." };

    public static Command Create(Screen screen)
    {
        Command command = new("bench", "Put load on a running cluster and measure it; connections go to the endpoints in turn. 'shardctl bench compare' starts clusters of its own, of RaftKv and of etcd.")
        {
            s_target, s_protocol, s_clients, s_connections, s_valueBytes, s_keys, s_reads, s_seconds, s_warmUp, s_seed, s_fill, s_idempotencyKeys, s_serverPids,
        };
        command.Subcommands.Add(BenchCompareVerb.Create(screen));
        command.SetAction((result, cancellation) => RunAsync(screen, result, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, ParseResult result, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        LoadPlan plan = PlanOf(result);
        using NodeClient nodes = new(GlobalOptions.TimeoutOf(result));
        IServerMeter meter = MeterOf(result, plan, nodes);
        try
        {
            LoadResult load = await screen.WithSpinnerAsync("starting", say => LoadRun.RunAsync(plan, meter, null, say, cancellation));
            LoadOutput output = LoadOutput.Of(plan, load);
            if (isJson) screen.Line(OutputJson.Write(output, OutputJson.OfCluster.LoadOutput));
            else LoadText.Show(screen, output);
            return load.Tally.Operations > 0 ? ExitCode.Ok : throw new CommandException(ExitCode.Unhealthy, "no request succeeded");
        }
        catch (LoadException refused)
        {
            throw new CommandException(refused.IsUnreachable ? ExitCode.CannotConnect : ExitCode.Usage, refused.Message);
        }
    }

    private static LoadPlan PlanOf(ParseResult result)
    {
        LoadProtocol protocol = ProtocolOf(result);
        int clients = result.GetValue(s_clients);
        int connections = protocol == LoadProtocol.RaftKvHttp1 ? clients : Math.Min(SharedConnections, clients);
        int reads = result.GetValue(s_reads);
        if (reads is < 0 or > 100) throw new CommandException(ExitCode.Usage, $"--reads {reads}: must be from 0 to 100");
        return new LoadPlan
        {
            Protocol = protocol,
            Endpoints = [.. GlobalOptions.EndpointsOf(result)],
            Clients = clients,
            Connections = result.GetResult(s_connections) is null ? connections : result.GetValue(s_connections),
            ValueBytes = result.GetValue(s_valueBytes),
            Keys = result.GetValue(s_keys),
            ReadShare = reads / 100.0,
            Duration = TimeSpan.FromSeconds(result.GetValue(s_seconds)),
            WarmUp = TimeSpan.FromSeconds(result.GetValue(s_warmUp)),
            RequestTimeout = GlobalOptions.TimeoutOf(result),
            Seed = result.GetValue(s_seed),
            FillsFirst = result.GetValue(s_fill),
            HasIdempotencyKeys = result.GetValue(s_idempotencyKeys),
        };
    }

    private static LoadProtocol ProtocolOf(ParseResult result) => (result.GetValue(s_target), result.GetValue(s_protocol)) switch
    {
        ("etcd", _) => LoadProtocol.EtcdGrpc,
        ("raftkv", "http1") => LoadProtocol.RaftKvHttp1,
        ("raftkv", "http2") => LoadProtocol.RaftKvHttp2,
        ("raftkv", var other) => throw new CommandException(ExitCode.Usage, $"--protocol {other}: must be http1 or http2"),
        (var other, _) => throw new CommandException(ExitCode.Usage, $"--target {other}: must be raftkv or etcd"),
    };

    private static IServerMeter MeterOf(ParseResult result, LoadPlan plan, NodeClient nodes)
    {
        if (result.GetValue(s_serverPids) is { } list) return new ProcessMeter([.. list.Split(',', StringSplitOptions.TrimEntries).Select(ProcessIdOf)]);
        return plan.Protocol == LoadProtocol.EtcdGrpc ? new ProcessMeter([]) : new RaftKvMeter(nodes, plan.Endpoints);
    }

    private static int ProcessIdOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && Directory.Exists($"/proc/{id}") ? id : throw new CommandException(ExitCode.Usage, $"--server-pids: there is no process '{text}'");

    internal static Option<int> Whole(string name, string description, int value) => new(name) { CustomParser = GlobalOptions.WholeNumber, Description = description, HelpName = "N", DefaultValueFactory = _ => value };

    internal static Option<double> Seconds(string name, string description, double value) => new(name)
    {
        Description = description,
        HelpName = "SECONDS",
        CustomParser = GlobalOptions.DecimalNumber,
        DefaultValueFactory = _ => value,
    };
}
