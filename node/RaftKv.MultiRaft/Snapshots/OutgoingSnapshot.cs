using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Snapshots;

/// <summary>A checkpoint that a follower is to fetch. Offered until the first fetch, given up when the follower is silent for long.</summary>
internal sealed class OutgoingSnapshot(HostedReplica replica, Member target, ulong number, ICheckpoint checkpoint, long now) : IDisposable
{
    private byte[] _offerFrame = [];
    private IEnumerator<long>? _verification;

    public HostedReplica Replica { get; } = replica;

    public SnapshotId Id { get; } = new(replica.Id, replica.Group.Replica, target.Replica, number);

    public long LastHeardMicros { get; private set; } = now;

    /// <summary>The follower has asked for some of it.</summary>
    public bool IsFetched { get; private set; }

    /// <summary>When to offer it (again); never while its term is not known, and once it is being fetched.</summary>
    public long OfferAtMicros { get; private set; } = long.MaxValue;

    /// <summary>The follower got damaged files: this side verifies its own, and offers them no more.</summary>
    public bool IsSuspect => _verification is not null;

    /// <param name="term">The replica's, asked for after the checkpoint was made.</param>
    public void SetOffer(Term term, long now)
    {
        _offerFrame = new SnapshotOffer(Id, term, checkpoint.Files).ToFrame();
        OfferAtMicros = now;
    }

    public void Offer(IPeerLinks links, long now, long intervalMicros)
    {
        links.SendBulk(target.Node, _offerFrame);
        OfferAtMicros = now + intervalMicros;
    }

    /// <summary>The piece asked for; null when the request makes no sense.</summary>
    public SnapshotChunk? Read(in SnapshotFetch fetch, int maxBytes, long now)
    {
        LastHeardMicros = now;
        OfferAtMicros = long.MaxValue;
        IsFetched = true;
        if (fetch.File >= checkpoint.Files.Count || fetch.Offset > checkpoint.Files[fetch.File].Length) return null;
        CheckpointFile file = checkpoint.Files[fetch.File];
        byte[] bytes = new byte[Math.Min(maxBytes, file.Length - fetch.Offset)];
        int read = checkpoint.Read(file, fetch.Offset, bytes);
        if (read != bytes.Length) throw new StoreFailedException($"{Id}: {file.Name} ends at {fetch.Offset + read}, expected {file.Length}");
        return new SnapshotChunk(Id, fetch.File, fetch.Offset, bytes);
    }

    public void Suspect()
    {
        OfferAtMicros = long.MaxValue;
        _verification ??= checkpoint.Verify().GetEnumerator();
    }

    /// <summary>The next step. False when there is no more to verify: it is as it was written.</summary>
    public bool VerifyNext() => _verification!.MoveNext();

    public void Dispose()
    {
        _verification?.Dispose();
        checkpoint.Dispose();
    }
}
