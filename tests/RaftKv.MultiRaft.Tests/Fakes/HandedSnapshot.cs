using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>The sender's side of a transfer, played by a test: node 1 offers a replica the state after an index.</summary>
internal sealed class HandedSnapshot(ulong index, ulong term, ulong senderTerm, ulong number = 1, ulong group = 1, ulong to = 2)
{
    private readonly SortedDictionary<string, byte[]> _files = FakeCheckpoint.FilesOf(new LogIndex(index), new Term(term));

    public SnapshotId Id { get; } = new(new GroupId(group), new ReplicaId(1), new ReplicaId(to), number);

    public SnapshotOffer Offer => new(Id, new Term(senderTerm), [.. _files.Select(file => new CheckpointFile(file.Key, file.Value.Length))]);

    /// <summary>One piece for each file that is not empty, in order.</summary>
    public IEnumerable<SnapshotChunk> Chunks => _files.Values.Select((bytes, position) => new SnapshotChunk(Id, position, 0, bytes)).Where(chunk => !chunk.Bytes.IsEmpty);

    /// <summary>Offers and hands over everything; only the receiver's SNAPSHOT runs.</summary>
    public static void Give(HostUnderTest receiver, ulong index, ulong term, ulong? senderTerm = null, ulong number = 1, ulong group = 1, ulong to = 2)
    {
        HandedSnapshot snapshot = new(index, term, senderTerm ?? term, number, group, to);
        receiver.Arrive(1, snapshot.Offer.ToFrame());
        receiver.Snapshots();
        foreach (SnapshotChunk chunk in snapshot.Chunks)
        {
            receiver.Arrive(1, chunk.ToFrame());
            receiver.Snapshots();
        }
    }
}
