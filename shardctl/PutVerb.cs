using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl put KEY VALUE</c>: stores a value, if its condition holds.</summary>
internal static class PutVerb
{
    private const string StandardInput = "-";

    /// <summary>A thousand years and more, which the client can still count.</summary>
    private const long MaxTtlSeconds = 100_000_000_000;

    public static Command Create(Screen screen)
    {
        Argument<string?> value = new("value") { Description = "The value; '-' reads it from standard input, up to its end.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> ifAbsent = new("--if-absent") { Description = "Store it only if the key has no value." };
        Option<ulong> ifRevision = KeyArgument.IfRevision("Store it");
        Option<long> ttl = new("--ttl") { Description = "After so long the key goes by itself. Without it the value stays, also if the one before had a ttl.", HelpName = "SECONDS", CustomParser = TtlOf };
        Command command = new("put", "Store a value.") { ifAbsent, ifRevision, ttl };
        KeyInput key = new(command, value);
        command.SetAction((result, cancellation) => RunAsync(screen, result, key.Read(result), ConditionOf(result.GetValue(ifAbsent), result.GetValue(ifRevision)), result.GetValue(ttl), cancellation));
        return command;
    }

    /// <summary>The most that a value may have is for the cluster to say.</summary>
    private static long TtlOf(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) || seconds is 0 or > MaxTtlSeconds) argument.AddError($"--ttl {text}: must be a whole number of seconds, from 1.");
        return seconds;
    }

    private static WriteCondition ConditionOf(bool ifAbsent, ulong ifRevision)
    {
        if (ifAbsent && ifRevision > 0) throw new CommandException(ExitCode.Usage, "--if-absent and --if-revision exclude each other");
        if (ifAbsent) return WriteCondition.IfAbsent;
        return ifRevision > 0 ? WriteCondition.IfRevision(ifRevision) : WriteCondition.None;
    }

    /// <param name="ttl">In seconds; 0 for ever.</param>
    private static async Task<int> RunAsync(Screen screen, ParseResult result, (byte[] Key, string Value) given, WriteCondition condition, long ttl, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        (byte[] key, string value) = given;
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        byte[] body = value == StandardInput ? await ReadAllAsync(screen.Input, cancellation) : System.Text.Encoding.UTF8.GetBytes(value);
        WriteResult written = await client.PutAsync(key, body, condition, ttl == 0 ? null : TimeSpan.FromSeconds(ttl), cancellation: cancellation);
        if (written.Error is { Status: 412 }) throw Outcomes.PreconditionFailure(written, KeyInput.Shown(key));
        if (written.Error is { } error) throw Outcomes.Failure(written.Outcome, error, KeyInput.Shown(key), endpoints);

        if (isJson) screen.Line(OutputJson.Write(Describe(key, written), OutputJson.OfKey.PutOutput));
        else screen.Line(written.PrevRevision == 0 ? $"revision {written.Revision}, a new key" : $"revision {written.Revision}, replaces {written.PrevRevision}");
        return ExitCode.Ok;
    }

    private static async Task<byte[]> ReadAllAsync(Stream input, CancellationToken cancellation)
    {
        using MemoryStream all = new();
        await input.CopyToAsync(all, cancellation);
        return all.ToArray();
    }

    private static PutOutput Describe(byte[] key, WriteResult written)
    {
        (string? text, string? base64) = OutputJson.Split(key);
        Position at = written.Position;
        return new PutOutput(text, base64, written.Revision, written.PrevRevision, at.Shard, at.Node, at.Term, at.Index);
    }
}
