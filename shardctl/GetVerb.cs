using System.CommandLine;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl get KEY</c>: the value's bytes, just as they are.</summary>
internal static class GetVerb
{
    public static Command Create(Screen screen)
    {
        Argument<string> key = KeyArgument.Create();
        Command command = new("get", "Read a key: its value as it is, or with its revision as JSON.") { key };
        command.SetAction((result, cancellation) => RunAsync(screen, result, result.GetValue(key)!, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, ParseResult result, string key, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        byte[] bytes = KeyArgument.BytesOf(key);
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        GetResult read = await client.GetAsync(bytes, cancellation);
        if (read.Error is { } error) throw Outcomes.Failure(read.Outcome, error, key, endpoints);
        if (read.Value is not { } value) throw Outcomes.NotFound(key);

        if (isJson) screen.Line(OutputJson.Write(Describe(bytes, value, read), OutputJson.OfKey.GetOutput));
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
        return new GetOutput(keyText, keyBase64, text, base64, read.Revision, read.Created, read.Version, at.Shard, at.Node, at.Term, at.Index);
    }
}
