using System.Globalization;
using System.Text;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>Everything a log holds, as text: two logs are equal when their texts are.</summary>
internal static class LogText
{
    /// <summary>Recovers the log on <paramref name="disk"/> and renders it, entries read back from the disk.</summary>
    public static string Recover(IDisk disk)
    {
        using SegmentedRaftLog log = Open(disk, out RecoveredLog recovered);
        return Render(recovered, log);
    }

    public static SegmentedRaftLog Open(IDisk disk, out RecoveredLog recovered, ulong saltSeed = 7) =>
        SegmentedRaftLog.Open(disk, new RaftLogOptions { SegmentBytes = LogScript.SegmentBytes, ZeroAheadBytes = LogScript.ZeroAheadBytes }, saltSeed, out recovered);

    public static string Render(RecoveredLog recovered, SegmentedRaftLog log) =>
        Render(recovered, group => log.Read(group.Group, group.CommitPoint.Index.Next, group.LastIndex, int.MaxValue));

    /// <summary><paramref name="entriesOf"/>: all live entries of a group.</summary>
    public static string Render(RecoveredLog recovered, Func<RecoveredGroup, Entry[]> entriesOf)
    {
        StringBuilder text = new();
        if (recovered.Identity is { } identity)
            text.Append(CultureInfo.InvariantCulture, $"identity cluster {identity.ClusterId:x16} node {identity.Node} disk {identity.DiskId:x16} name {identity.Name} map {Convert.ToHexString(identity.InitialMap.Span)}\n");
        foreach (var (group, replica) in recovered.Tombstones) text.Append(CultureInfo.InvariantCulture, $"{group} {replica} removed\n");
        foreach (RecoveredGroup group in recovered.Groups)
        {
            CommitPoint point = group.CommitPoint;
            text.Append(CultureInfo.InvariantCulture, $"{group.Group} {point.Replica} generation {point.Generation} begins after {point.Index}/{point.Term} epoch {point.EpochVersion}.{point.EpochConfVersion} {point.Configuration}\n");
            text.Append(CultureInfo.InvariantCulture, $"  {group.HardState}, last {group.LastIndex}, terms {string.Join(' ', group.TermRuns.Select(run => $"{run.First}:{run.Term}"))}\n");
            if (group.ConfigurationIndexes.Count > 0) text.Append(CultureInfo.InvariantCulture, $"  configurations {string.Join(' ', group.ConfigurationIndexes)}\n");
            foreach (Entry entry in entriesOf(group)) text.Append("  ").Append(Describe(entry)).Append('\n');
        }

        return text.ToString();
    }

    public static string Describe(in Entry entry)
    {
        string payload = entry.Payload.Length <= 24
            ? Convert.ToHexString(entry.Payload.Span)
            : $"{Convert.ToHexString(entry.Payload.Span[..8])}…{entry.Payload.Length} bytes sum {entry.Payload.ToArray().Sum(b => b)}";
        return $"{entry.Index}/{entry.Term} {entry.Kind} level {entry.FeatureLevel} stamp {entry.StampMillis} floor {entry.RevisionFloor} {payload}";
    }
}
