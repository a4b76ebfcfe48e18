using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>A state machine that only notes what it is told. Results are <c>result of index</c>.</summary>
internal sealed class FakeMachine(GroupId group, LogIndex applied, Trace trace) : IStateMachine
{
    private int _entries;

    public LogIndex Applied { get; private set; } = applied;

    public Term AppliedTerm { get; private set; } = new(5);

    public Configuration Configuration { get; private set; } = Some.Voters(3);

    public (ulong Version, ulong ConfVersion) EpochNumbers => (1, 1);

    /// <summary>Nothing is ever flushed but what a test says, and what the machine began with.</summary>
    public LogIndex FlushedApplied { get; set; } = applied;

    /// <summary>How often it was asked to begin a flush.</summary>
    public int FlushesBegun { get; private set; }

    public ulong TimeMillis { get; set; }

    public ulong? NextDeadlineMillis { get; set; }

    public ReadOnlyMemory<byte> DeadlineCommand => "deadline"u8.ToArray();

    public bool IsDisposed { get; private set; }

    /// <summary>Runs in <see cref="Commit"/>; may throw.</summary>
    public Action BeforeCommit { get; set; } = static () => { };

    public void Begin() => _entries = 0;

    public object? Apply(in Entry entry, bool wantsResult)
    {
        Applied = entry.Index;
        AppliedTerm = entry.Term;
        if (entry.Kind == EntryKind.Configuration) Configuration = Configuration.Parse(entry.Payload.Span, out _);
        TimeMillis = Math.Max(TimeMillis, entry.StampMillis);
        _entries++;
        return wantsResult ? $"result of {entry.Index}" : null;
    }

    public void Commit()
    {
        BeforeCommit();
        trace.Add($"{group} applied {Applied.Value - (ulong)_entries + 1}..{Applied}");
    }

    public void BeginFlush() => FlushesBegun++;

    public ICheckpoint CreateCheckpoint() => new FakeCheckpoint(FlushedApplied);

    /// <summary>As if opened from the checkpoint of a machine at that index.</summary>
    public FakeMachine At(LogIndex index)
    {
        Applied = FlushedApplied = index;
        return this;
    }

    public void Dispose() => IsDisposed = true;
}

/// <summary>A file that holds the index, and an empty one.</summary>
internal sealed class FakeCheckpoint(LogIndex index) : ICheckpoint
{
    public IReadOnlyList<CheckpointFile> Files { get; } = [new CheckpointFile("empty", 0), new CheckpointFile("index", 8)];

    public int Read(CheckpointFile file, long offset, Span<byte> into)
    {
        byte[] bytes = BitConverter.GetBytes(index.Value);
        int count = Math.Min(into.Length, bytes.Length - (int)offset);
        bytes.AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    public void Dispose() { }
}

/// <summary>A generation that is filled with the files of a fake checkpoint.</summary>
internal sealed class FakeStagedStore(Action<LogIndex> onFinished) : IStagedStore
{
    private readonly byte[] _index = new byte[8];

    public void Write(CheckpointFile file, long offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_index.AsSpan((int)offset));

    public void Finish() => onFinished(new LogIndex(BitConverter.ToUInt64(_index)));

    public void Dispose() { }
}

/// <summary>Opens fake machines that have applied up to the birth index, or what a test says.</summary>
internal sealed class FakeMachines(Trace trace) : IStateMachines
{
    public Dictionary<GroupId, LogIndex> Applied { get; } = [];

    public Dictionary<GroupId, FakeMachine> Opened { get; } = [];

    public IReadOnlyCollection<(GroupId Group, ulong Generation)> Live { get; private set; } = [];

    /// <summary>Staged generations that are finished, and the index of each.</summary>
    public Dictionary<(GroupId Group, ulong Generation), LogIndex> Staged { get; } = [];

    public IStateMachine Open(GroupId group, ulong generation)
    {
        FakeMachine machine = new(group, Applied.GetValueOrDefault(group, Some.Birth), trace);
        return Opened[group] = Staged.TryGetValue((group, generation), out LogIndex index) ? machine.At(index) : machine;
    }

    public IStagedStore Stage(GroupId group, ulong generation) => new FakeStagedStore(index =>
    {
        Staged.Add((group, generation), index);
        trace.Add($"{group} generation {generation} is durable");
    });

    public void Delete(GroupId group, ulong generation) => trace.Add($"{group} generation {generation} deleted");

    public void DeleteAllBut(IReadOnlyCollection<(GroupId Group, ulong Generation)> live, IReadOnlyCollection<GroupId> removed) => Live = live;
}

/// <summary>Waits for a proposal's outcome.</summary>
internal sealed class FakeOwner(string name, Trace trace) : IProposalOwner
{
    public void OnApplied(GroupId group, LogIndex index, Term term, object? result) => trace.Add($"{name} applied at {group} {index}/{term}: {result}");

    public void OnSuperseded() => trace.Add($"{name} superseded");
}

/// <summary>Waits for a read.</summary>
internal sealed class FakeReader(string name, Trace trace) : IReadOwner
{
    public void Serve(IStateMachine machine, GroupId group, Term term) => trace.Add($"{name} served by {group} at {machine.Applied}/{term}");

    public void OnDropped() => trace.Add($"{name} dropped");
}

/// <summary>A front that runs what is posted to it as <c>Action&lt;long&gt;</c> on the STEP pump.</summary>
internal sealed class FakeFront(Trace trace) : IFront
{
    public void OnPosted(long now, object work)
    {
        if (work is Action<long> action) action(now);
        else trace.Add($"posted {work}");
    }

    public void OnPeerFrame(long now, NodeId from, FrameKind kind, ReadOnlyMemory<byte> body)
    {
        if (!Enum.IsDefined(kind)) throw new MalformedException($"frame kind {kind}");
        trace.Add($"frame {kind} from {from.Value}: {body.Length} bytes");
    }

    public void OnTick(long now) { }
}
