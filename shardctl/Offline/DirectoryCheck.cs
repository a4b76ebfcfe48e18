using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.RaftLog;

namespace RaftKv.Shardctl.Offline;

/// <summary>
/// Checks all that a stopped node's directory holds: the raft log, the files beside it, and each store against itself and against the log. What a start
/// would legally cut or delete is a note and no problem.
/// </summary>
internal sealed class DirectoryCheck(StoppedNode node, Action<string> progress)
{
    private readonly List<ProblemOutput> _problems = [];
    private readonly List<string> _notes = [];
    private ulong _batches;
    private ulong _records;
    private int _stores;
    private long _rows;

    /// <summary>Told of every problem when it is found.</summary>
    public Action<ProblemOutput> OnProblem { get; init; } = _ => { };

    public VerifyOutput Run()
    {
        LogInspection log = node.InspectLog();
        CheckLog(log);
        CheckPeers();
        if (node.LostLog(log) is { } lost) Report(new ProblemOutput(node.Short(node.Layout.Log), null, null, lost));
        else if (log.Recovered is { } recovered) CheckNode(recovered);
        else Note("the stores are not checked: what they must hold, only the raft log could say");
        return new VerifyOutput(_problems.Count == 0, [.. _problems], [.. _notes], new CheckedOutput(log.Files.Count(file => file.Kind == LogFileKind.Segment), _batches, _records, _stores, _rows));
    }

    private void CheckLog(LogInspection log)
    {
        foreach (LogFile file in log.Files)
        {
            string place = PlaceOf(file.Name);
            (_batches, _records) = (_batches + file.Batches, _records + file.Records);
            if (file.Kind == LogFileKind.Segment) progress($"{place}: {file.Batches} batches, {file.Records} records");
            else if (file.Kind == LogFileKind.Leftover) Note($"{place}: left by a crash, will be deleted at start");
            else if (file.Kind == LogFileKind.Foreign) Note($"{place}: not a file of the raft log");
        }

        foreach (LogProblem problem in log.Problems) Report(new ProblemOutput(PlaceOf(problem.File), problem.Offset, null, problem.What));
        if (log.TornTail is { } torn) Note($"{PlaceOf(torn.File)} at offset {torn.Offset}: {torn.What}");
    }

    private string PlaceOf(string logFile) => node.Short(Path.Combine(node.Layout.Log, logFile));

    private void CheckPeers()
    {
        if (node.ReadPeerDisks() is { } disks)
        {
            if (disks.RotAt is { } offset) Report(new ProblemOutput(PeerDisks.FileName, offset, null, "the record does not check, but one behind it does"));
            else if (disks.IsTorn) Note($"{PeerDisks.FileName} at offset {disks.End}: torn tail, will be cut at start");
            progress($"{PeerDisks.FileName}: {disks.Known.Count} nodes");
        }

        string peers = node.Short(node.Layout.Peers);
        string[] lines = node.ReadPeers();
        for (int i = 0; i < lines.Length; i++)
            if (!IsMember(lines[i])) Report(new ProblemOutput(peers, null, null, $"line {i + 1} is not NAME=HOST:PORT"));
        progress($"{peers}: {lines.Length} nodes");
    }

    private static bool IsMember(string line)
    {
        int equals = line.IndexOf('=', StringComparison.Ordinal);
        int colon = line.LastIndexOf(':');
        return equals > 0 && colon > equals + 1 && line[..equals].All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && ushort.TryParse(line[(colon + 1)..], out _);
    }

    private void CheckNode(RecoveredLog recovered)
    {
        if (recovered.Identity is not { } identity)
        {
            Note("the first start did not come to its end; the next one begins anew");
            return;
        }

        if (NodeIdentity.IdOf(identity.Name) != identity.Node.Value) Report(new ProblemOutput("log", null, null, $"node id {identity.Node} is not that of the name {identity.Name}"));
        if (!ReadsAsMap(identity.InitialMap.Span)) Report(new ProblemOutput("log", null, null, "the shard map of the first start does not parse"));
        foreach (var (group, generation) in node.Stores.List())
        {
            RecoveredGroup? known = recovered.Groups.FirstOrDefault(live => live.Group == group);
            if (known?.CommitPoint.Generation == generation) continue;
            if (known is not null || recovered.Tombstones.Any(removed => removed.Group == group)) Note($"{node.StorePath(group, generation)}: not the live generation, will be deleted at start");
            else Report(new ProblemOutput(node.StorePath(group, generation), null, null, "a store, but no record in the raft log: synced log was lost"));
        }

        foreach (string leftover in node.Stores.Leftovers()) Note($"{node.Short(leftover)}: a checkpoint, will be deleted at start");
        foreach (RecoveredGroup group in recovered.Groups)
            if (group.CommitPoint.Generation != 0) CheckStore(group); // Else it has no store yet: it waits for its first snapshot.
    }

    private void CheckStore(RecoveredGroup group)
    {
        string place = node.StorePath(group.Group, group.CommitPoint.Generation);
        try
        {
            using IOrderedStore store = node.OpenStore(group.Group, group.CommitPoint.Generation);
            long rows = ShardCheck.Run(store, group, problem => Report(new ProblemOutput(place, null, problem.Key is { } key ? Convert.ToBase64String(key) : null, problem.What)));
            (_stores, _rows) = (_stores + 1, _rows + rows);
            progress($"{place}: {rows} rows");
        }
        catch (StoreFailedException failure)
        {
            Report(new ProblemOutput(place, null, null, $"{failure.Message}; what else is in this store was not checked"));
        }
    }

    internal static bool ReadsAsMap(ReadOnlySpan<byte> map)
    {
        try
        {
            return ShardMap.FromFile(map).Shards.Length > 0;
        }
        catch (InvalidShardMapException)
        {
            return false;
        }
    }

    private void Report(ProblemOutput problem)
    {
        _problems.Add(problem);
        OnProblem(problem);
    }

    private void Note(string note)
    {
        _notes.Add(note);
        progress(note);
    }
}
