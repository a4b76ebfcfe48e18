using System.CommandLine;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl get KEY</c>: the value's bytes, just as they are.</summary>
internal static class GetVerb
{
    public static Command Create(Screen screen)
    {
        Option<ulong> revision = KeyArgument.Revision("--revision", "Read the key as it was at this revision of its shard.");
        Option<string> consistency = new("--consistency")
        {
            Description = "linearizable shows every write acknowledged before; lease may be faster where the cluster has leases; stale is what the nearest replica has, at once.",
            HelpName = "linearizable|lease|stale",
            DefaultValueFactory = _ => "linearizable",
        };
        Command command = new("get", "Read a key: its value as it is, or with its revision as JSON.") { revision, consistency };
        KeyInput key = new(command);
        command.SetAction((result, cancellation) => RunAsync(screen, result, key.Read(result).Key, new GetOptions(ConsistencyOf(result.GetValue(consistency)!), result.GetValue(revision)), cancellation));
        return command;
    }

    private static ReadConsistency ConsistencyOf(string text) => text switch
    {
        "linearizable" => ReadConsistency.Linearizable,
        "lease" => ReadConsistency.Lease,
        "stale" => ReadConsistency.Stale,
        _ => throw new CommandException(ExitCode.Usage, $"--consistency {text}: must be linearizable, lease or stale"),
    };

    private static async Task<int> RunAsync(Screen screen, ParseResult result, byte[] key, GetOptions options, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        GetResult read = await client.GetAsync(key, options, cancellation);
        if (read.Error is { } error) throw Outcomes.Failure(read.Outcome, error, KeyInput.Shown(key), endpoints);
        if (read.Value is not { } value) throw Outcomes.NotFound(KeyInput.Shown(key));

        if (isJson) screen.Line(OutputJson.Write(Describe(key, value, read), OutputJson.OfKey.GetOutput));
        else WriteValue(screen, value);
        return ExitCode.Ok;
    }

    /// <summary>On a terminal the prompt must not stick to the value; in a pipe not a byte is added.</summary>
    private static void WriteValue(Screen screen, byte[] value)
    {
        screen.Bytes.Write(value);
        screen.Bytes.Flush();
        if (screen.IsTerminal && (value.Length == 0 || value[^1] != '\n')) screen.Line();
    }

    private static GetOutput Describe(byte[] key, byte[] value, GetResult read)
    {
        (string? keyText, string? keyBase64) = OutputJson.Split(key);
        (string? text, string? base64) = OutputJson.Split(value);
        Position at = read.Position;
        return new GetOutput(
            keyText, keyBase64, text, base64, read.Revision, read.Created, read.Version, (long?)read.Ttl?.TotalSeconds, at.Shard, at.Node, at.Term, at.Index, read.Consistency.Length > 0 ? read.Consistency : null, (long?)read.Age?.TotalMilliseconds);
    }
}
