using System.CommandLine;
using System.Globalization;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog;

namespace RaftKv.Shardctl.Offline;

/// <summary><c>shardctl inspect DIR</c>: what a stopped node's directory holds.</summary>
internal static class InspectVerb
{
    public static Command Create(Screen screen)
    {
        Argument<string> directory = Directory();
        Command command = new("inspect", "Show what a stopped node's data directory holds: who it is, its raft log and its groups. Changes nothing.") { directory };
        command.SetAction(result => Run(screen, result, result.GetValue(directory)!));
        return command;
    }

    internal static Argument<string> Directory() => new("data-dir") { Description = "The node's --data-dir. No node may run on it." };

    /// <summary>What a disk or store refuses ends the command with one line.</summary>
    internal static T Reading<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is DiskFailedException or StoreFailedException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Error, exception.Message);
        }
    }

    private static int Run(Screen screen, ParseResult result, string directory)
    {
        bool isJson = GlobalOptions.IsJson(result);
        InspectOutput output;
        using (StoppedNode node = StoppedNode.Open(directory)) output = Reading(() => Describe(node));
        if (isJson) screen.Line(OutputJson.Write(output, OutputJson.OfCluster.InspectOutput));
        else Show(screen, output);
        StoppedGroupOutput[] damaged = [.. output.Groups.Where(group => group.Problem is not null)];
        if (damaged.Length == 0) return ExitCode.Ok;
        throw new CommandException(ExitCode.Unhealthy, $"{directory}: {string.Join("; ", damaged.Select(group => group.Problem))}");
    }

    private static InspectOutput Describe(StoppedNode node)
    {
        LogInspection log = node.InspectLog();
        if (log.Problems.Count > 0) throw new CommandException(ExitCode.Error, $"{node.Layout.Log}/{log.Problems[0].File} at offset {log.Problems[0].Offset}: {log.Problems[0].What}; verify shows all there is");
        if (node.LostLog(log) is { } lost) throw new CommandException(ExitCode.Error, $"{node.Layout.Log}: {lost}");
        RecoveredLog recovered = log.Recovered!;
        return new InspectOutput(
            recovered.Identity is { } identity ? new IdentityOutput(identity.Name, Hex(identity.Node.Value), Hex(identity.DiskId), Hex(identity.ClusterId)) : null,
            [.. node.ReadPeers()],
            [.. (node.ReadPeerDisks()?.Known ?? []).Select(known => new PeerDiskOutput(Hex(known.Node.Value), Hex(known.DiskId)))],
            [.. log.Files.Select(file => new LogFileOutput(file.Name, file.Kind.ToString().ToLowerInvariant(), file.Bytes, file.Batches, file.Records, file.LiveBytes))],
            [.. recovered.Groups.Select(group => Describe(node, group))],
            [.. recovered.Tombstones.Select(removed => new TombstoneOutput(removed.Group.Value, Text(removed.Replica.Value)))]);
    }

    private static StoppedGroupOutput Describe(StoppedNode node, RecoveredGroup group)
    {
        CommitPoint point = group.CommitPoint;
        HardState hard = group.HardState;
        ShardSummary? summary = null;
        string? problem = null;
        try
        {
            if (point.Generation != 0) summary = Summarise(node, group.Group, point.Generation);
        }
        catch (StoreFailedException failure)
        {
            problem = $"{node.StorePath(group.Group, point.Generation)}: {failure.Message}"; // The log, and the other groups, can be shown all the same.
        }

        return new StoppedGroupOutput(
            group.Group.Value, Text(point.Replica.Value), summary is null ? null : HashRange.FormatBound(summary.Meta.Range.Start), summary is null ? null : HashRange.FormatBound(summary.Meta.Range.End),
            summary?.Meta.Epoch.ToString(), hard.Term.Value, hard.Vote.IsNone ? null : Text(hard.Vote.Value), point.Index.Next.Value, group.LastIndex.Value, hard.Commit.Value, point.Index.Value, point.Term.Value,
            point.Generation, summary?.Meta.Applied.Value, summary?.Flushed.Value, summary?.Meta.AppliedTerm.Value, summary?.Meta.Revision, summary is null ? null : Hex(summary.Meta.ChainHash),
            (summary?.Configuration ?? point.Configuration).ToString(), problem);
    }

    private static ShardSummary Summarise(StoppedNode node, GroupId group, ulong generation)
    {
        using IOrderedStore store = node.OpenStore(group, generation);
        return ShardCheck.Summarise(store, group);
    }

    private static void Show(Screen screen, InspectOutput output)
    {
        if (output.Identity is { } identity) screen.Table(["node", "node id", "disk id", "cluster id", "peers"], [[new Cell(identity.Node, "bold"), identity.NodeId, identity.DiskId, identity.ClusterId, string.Join(' ', output.Peers)]]);
        else screen.Line("The first start did not come to its end: there is no node here yet.");
        screen.Line();
        screen.Table(["log file", "kind", "bytes", "batches", "records", "live bytes"], [.. output.Log.Select(file => (Cell[])[file.File, file.Kind, Number(file.Bytes), Number(file.Batches), Number(file.Records), Number(file.LiveBytes)])]);
        screen.Line();
        screen.Table(
            ["shard", "replica", "range", "epoch", "term", "vote", "log", "commit", "snapshot", "generation", "flushed", "revision", "members"],
            [.. output.Groups.Select(group => (Cell[])
            [
                new($"{group.Shard}", "bold"), group.ReplicaId, group.Start is null ? "-" : $"{group.Start}-{group.End}", group.Epoch ?? "-", Number(group.Term), group.Vote ?? "-",
                $"{group.FirstIndex}..{group.LastIndex}", Number(group.Commit), $"{group.SnapshotIndex}/{group.SnapshotTerm}", Number(group.Generation), Number(group.Flushed), Number(group.Revision), group.Configuration,
            ])]);
        if (output.Tombstones.Length == 0) return;
        screen.Line();
        screen.Table(["removed shard", "highest replica"], [.. output.Tombstones.Select(removed => (Cell[])[$"{removed.Shard}", removed.ReplicaId])]);
    }

    private static string Hex(ulong id) => NodeIdentity.FormatId(id);

    private static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);

    private static Cell Number<T>(T? number)
        where T : struct, IFormattable => number?.ToString(null, CultureInfo.InvariantCulture) ?? "-";

    private static Cell Number<T>(T number)
        where T : struct, IFormattable => number.ToString(null, CultureInfo.InvariantCulture);
}
