using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl shard …</c>: what is done to one shard.</summary>
internal static class ShardVerb
{
    public static Command Create(Screen screen) => new("shard", "Look after one shard; status shows them all.") { CreateTransfer(screen) };

    private static Command CreateTransfer(Screen screen)
    {
        Argument<ulong> shard = new("shard") { Description = "Its id, as status shows it.", CustomParser = ShardId };
        Argument<string?> node = new("node") { Description = "Who is to lead; without one, whichever of its other voters takes over soonest.", Arity = ArgumentArity.ZeroOrOne };
        Command command = new("transfer-leader", "Hand a shard's leadership to another node: the one named, or else whichever takes over soonest. Requests wait a few milliseconds meanwhile.") { shard, node };
        GlobalOptions.AddTo(command);
        command.SetAction((result, cancellation) => TransferAsync(screen, result, result.GetValue(shard), result.GetValue(node), cancellation));
        return command;
    }

    private static async Task<int> TransferAsync(Screen screen, ParseResult result, ulong shard, string? node, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        TransferResult transfer = await client.TransferLeaderAsync(shard, node, cancellation);
        if (transfer.Error is { } error)
        {
            if (transfer.Outcome == RequestOutcome.Unknown) throw new CommandException(ExitCode.OutcomeUnknown, $"shard {shard}: outcome unknown ({error}); status shows who leads");
            throw Outcomes.Failure(transfer.Outcome, error, $"shard {shard}", endpoints);
        }

        if (isJson) screen.Line(OutputJson.Write(new TransferOutput(shard, transfer.Leader!, transfer.Term), OutputJson.OfCluster.TransferOutput));
        else screen.Table(["shard", "leader", "term"], [[new Cell($"{shard}", "bold"), transfer.Leader!, transfer.Term.ToString(CultureInfo.InvariantCulture)]]);
        return ExitCode.Ok;
    }

    private static ulong ShardId(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id)) argument.AddError($"shard {text}: must be a number.");
        return id;
    }
}
