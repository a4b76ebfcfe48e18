using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Snapshots;

/// <summary>
/// A snapshot on its way in: the files of the offer one after the other, each from front to end, one piece asked for at a time. Whatever is
/// lost, doubled or late on the way changes nothing: only the piece that comes next is taken.
/// </summary>
internal sealed class IncomingSnapshot : IDisposable
{
    private readonly IStagedStore _store;
    private IEnumerator<long>? _verification;
    private IStateMachine? _machine;
    private int _file;
    private long _offset;

    public IncomingSnapshot(HostedReplica replica, NodeId source, SnapshotOffer offer, ulong generation, IStagedStore store, long now)
    {
        Replica = replica;
        Source = source;
        Offer = offer;
        Generation = generation;
        _store = store;
        MissingBytes = offer.Bytes;
        FetchAtMicros = LastHeardMicros = now;
        SkipEmptyFiles();
    }

    public HostedReplica Replica { get; }

    public NodeId Source { get; }

    public SnapshotOffer Offer { get; }

    public ulong Generation { get; }

    /// <summary>All files are there; it is with STEP and APPLY now, and will be installed or discarded.</summary>
    public bool IsStaged { get; private set; }

    /// <summary>All bytes have arrived; then they are verified.</summary>
    public bool IsComplete => _file == Offer.Files.Count;

    /// <summary>Bytes that have not arrived yet.</summary>
    public long MissingBytes { get; private set; }

    public long LastHeardMicros { get; private set; }

    /// <summary>When to ask for the next piece, or for the same one again.</summary>
    public long FetchAtMicros { get; private set; }

    /// <summary>Asks for the next piece. When there is none, for nothing: the sender shall know that it is still wanted.</summary>
    public void Fetch(IPeerLinks links, long now, long retryMicros)
    {
        SnapshotFetch next = IsComplete ? new SnapshotFetch(Offer.Id, _file - 1, Offer.Files[^1].Length) : new SnapshotFetch(Offer.Id, _file, _offset);
        links.SendBulk(Source, next.ToFrame());
        FetchAtMicros = now + retryMicros;
    }

    /// <summary>Takes the piece if it is the one that comes next. The one after it is due at <paramref name="nextAtMicros"/>.</summary>
    public bool TryTake(in SnapshotChunk chunk, long now, long nextAtMicros)
    {
        if (IsComplete || chunk.File != _file || chunk.Offset != _offset) return false;
        CheckpointFile file = Offer.Files[_file];
        if (chunk.Bytes.IsEmpty || chunk.Bytes.Length > file.Length - _offset) return false;
        _store.Write(file, _offset, chunk.Bytes.Span);
        _offset += chunk.Bytes.Length;
        MissingBytes -= chunk.Bytes.Length;
        if (_offset == file.Length) NextFile();
        SkipEmptyFiles();
        LastHeardMicros = now;
        FetchAtMicros = nextAtMicros;
        return true;
    }

    /// <summary>Makes what has arrived durable, first, and then verifies it, a step a call. False when there is no more to verify.</summary>
    public bool VerifyNext(long now)
    {
        if (_verification is null)
        {
            _store.Finish();
            _verification = _store.Verify().GetEnumerator();
        }

        LastHeardMicros = now;
        return _verification.MoveNext();
    }

    /// <summary>Opens what has arrived; it belongs to this transfer until <see cref="HandOver"/>.</summary>
    public IStateMachine Open(IStateMachines machines)
    {
        IsStaged = true;
        return _machine = machines.Open(Replica.Id, Generation);
    }

    /// <summary>Whoever has it now closes it.</summary>
    public void HandOver() => _machine = null;

    public void Dispose()
    {
        _verification?.Dispose();
        _store.Dispose();
        _machine?.Dispose();
    }

    private void SkipEmptyFiles()
    {
        while (!IsComplete && Offer.Files[_file].Length == 0)
        {
            _store.Write(Offer.Files[_file], 0, default);
            NextFile();
        }
    }

    private void NextFile()
    {
        _file++;
        _offset = 0;
    }
}

/// <summary>A whole snapshot, durable in a generation of its own and open, that waits to become the replica's state.</summary>
internal sealed record StagedSnapshot(HostedReplica Replica, SnapshotId Id, SnapshotHead Head, IStateMachine Machine, CommitPoint Point);
