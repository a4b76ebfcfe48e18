using System.CommandLine;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl del KEY</c>: deletes a key, if its condition holds. Exit code 4 if there was nothing to delete.</summary>
internal static class DeleteVerb
{
    public static Command Create(Screen screen)
    {
        Option<ulong> ifRevision = KeyArgument.IfRevision("Delete it");
        Command command = new("del", "Delete a key. One that is not there ends with exit code 4.") { ifRevision };
        KeyInput key = new(command);
        command.SetAction((result, cancellation) => RunAsync(screen, result, key.Read(result).Key, result.GetValue(ifRevision), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, ParseResult result, byte[] key, ulong ifRevision, CancellationToken cancellation)
    {
        bool isJson = GlobalOptions.IsJson(result);
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        WriteResult written = await client.DeleteAsync(key, ifRevision > 0 ? WriteCondition.IfRevision(ifRevision) : WriteCondition.None, cancellation: cancellation);
        if (written.Error is { Status: 412 }) throw Outcomes.PreconditionFailure(written, KeyInput.Shown(key));
        if (written.Error is { } error) throw Outcomes.Failure(written.Outcome, error, KeyInput.Shown(key), endpoints);

        bool isDeleted = written.PrevRevision > 0;
        if (isJson) screen.Line(OutputJson.Write(Describe(key, written), OutputJson.OfKey.DeleteOutput));
        else if (isDeleted) screen.Line($"deleted, it had revision {written.PrevRevision}");
        return isDeleted ? ExitCode.Ok : isJson ? ExitCode.NotFound : throw Outcomes.NotFound(KeyInput.Shown(key));
    }

    private static DeleteOutput Describe(byte[] key, WriteResult written)
    {
        (string? text, string? base64) = OutputJson.Split(key);
        Position at = written.Position;
        return new DeleteOutput(text, base64, written.PrevRevision > 0, written.Revision, written.PrevRevision, at.Shard, at.Node, at.Term, at.Index);
    }
}
