using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace RaftKv.Shardctl.Offline;

// What -o json writes of a stopped node. As stable as the rest: see OutputJson.

/// <summary>inspect. <c>identity</c> is null when the first start did not come to its end.</summary>
internal sealed record InspectOutput(
    IdentityOutput? Identity, ImmutableArray<string> Peers, ImmutableArray<PeerDiskOutput> PeerDisks, ImmutableArray<LogFileOutput> Log, ImmutableArray<StoppedGroupOutput> Groups, ImmutableArray<TombstoneOutput> Tombstones);

internal sealed record IdentityOutput(string Node, string NodeId, string DiskId, string ClusterId);

internal sealed record PeerDiskOutput(string NodeId, string DiskId);

/// <param name="Kind">segment (it counts), retired, spare, leftover or foreign.</param>
/// <param name="LiveBytes">Of the records that still count.</param>
internal sealed record LogFileOutput(string File, string Kind, long Bytes, ulong Batches, ulong Records, long? LiveBytes);

/// <summary>One group. What its store says is null while it has none, for it waits for its first snapshot, and when the store cannot be read.</summary>
/// <param name="FirstIndex">Of the log's entries, which end at <paramref name="LastIndex"/>; above that when there are none.</param>
/// <param name="Commit">As the log's hard state says; the node may have known of more.</param>
/// <param name="Problem">Why the store cannot be read; absent if it can.</param>
/// <param name="Applied">Equal to <paramref name="Flushed"/>: what was not flushed is gone with the process.</param>
internal sealed record StoppedGroupOutput(
    ulong Shard, string ReplicaId, string? Start, string? End, string? Epoch, ulong Term, string? Vote, ulong FirstIndex, ulong LastIndex, ulong Commit, ulong SnapshotIndex, ulong SnapshotTerm,
    ulong Generation, ulong? Applied, ulong? Flushed, ulong? AppliedTerm, ulong? Revision, string? ChainHash, string Configuration,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Problem = null);

internal sealed record TombstoneOutput(ulong Shard, string ReplicaId);

/// <summary>verify. <c>notes</c> is what a start will cut or delete, and no problem.</summary>
internal sealed record VerifyOutput(bool Ok, ImmutableArray<ProblemOutput> Problems, ImmutableArray<string> Notes, CheckedOutput Checked);

/// <param name="File">Of the file or store, below the data directory.</param>
/// <param name="Offset">In a file, where it is known.</param>
/// <param name="KeyBase64">Of a store's row.</param>
internal sealed record ProblemOutput(string File, long? Offset, string? KeyBase64, string What)
{
    public override string ToString() =>
        $"{File}{(Offset is { } offset ? string.Create(CultureInfo.InvariantCulture, $" at offset {offset}") : "")}{(KeyBase64 is null ? "" : $" key {KeyBase64}")}: {What}";
}

internal sealed record CheckedOutput(int Segments, ulong Batches, ulong Records, int Stores, long Rows);
