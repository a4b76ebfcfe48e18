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

    public Term FlushedTerm { get; set; } = new(5);

    /// <summary>How often it was asked to begin a flush.</summary>
    public int FlushesBegun { get; private set; }

    public ulong TimeMillis { get; set; }

    public ulong? NextDeadlineMillis { get; set; }

    public ulong? NextCompactionMillis { get; set; }

    public ReadOnlyMemory<byte> DeadlineCommand => "deadline"u8.ToArray();

    public bool IsDisposed { get; private set; }

    /// <summary>Runs in <see cref="Commit"/>; may throw.</summary>
    public Action BeforeCommit { get; set; } = static () => { };

    /// <summary>Called with what a flush has made durable.</summary>
    public Action<LogIndex, Term> OnFlushed { get; set; } = static (_, _) => { };

    /// <summary>Runs in <see cref="BeginFlush"/>.</summary>
    public Action<FakeMachine> OnBeginFlush { get; set; } = static _ => { };

    /// <summary>Runs when a checkpoint is made; may throw.</summary>
    public Action BeforeCheckpoint { get; set; } = static () => { };

    /// <summary>The checkpoints made, the disposed ones too.</summary>
    public List<FakeCheckpoint> Checkpoints { get; } = [];

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

    public void BeginFlush()
    {
        FlushesBegun++;
        OnBeginFlush(this);
    }

    /// <summary>Everything applied is flushed.</summary>
    public void Flush()
    {
        (FlushedApplied, FlushedTerm) = (Applied, AppliedTerm);
        OnFlushed(Applied, AppliedTerm);
    }

    public ICheckpoint CreateCheckpoint()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        BeforeCheckpoint();
        FakeCheckpoint checkpoint = new(FlushedApplied, FlushedTerm);
        Checkpoints.Add(checkpoint);
        return checkpoint;
    }

    /// <summary>As if opened from the checkpoint of a machine at that index.</summary>
    public FakeMachine At(LogIndex index, Term term)
    {
        (Applied, AppliedTerm) = (index, term);
        Flush();
        return this;
    }

    public void Dispose() => IsDisposed = true;
}

/// <summary>The state after an index: that and its term in one file, bytes drawn from them in another, and empty files around.</summary>
internal sealed class FakeCheckpoint(LogIndex index, Term term) : ICheckpoint
{
    private readonly SortedDictionary<string, byte[]> _files = FilesOf(index, term);

    public IReadOnlyList<CheckpointFile> Files => [.. _files.Select(file => new CheckpointFile(file.Key, file.Value.Length))];

    public bool IsDisposed { get; private set; }

    /// <summary>Runs before each read; may throw.</summary>
    public Action BeforeRead { get; set; } = static () => { };

    public static SortedDictionary<string, byte[]> FilesOf(LogIndex index, Term term)
    {
        byte[] rows = new byte[40];
        new Random((int)index.Value).NextBytes(rows);
        return new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["a-empty"] = [],
            ["b-rows"] = rows,
            ["c-empty"] = [],
            ["d-index"] = [.. BitConverter.GetBytes(index.Value), .. BitConverter.GetBytes(term.Value)],
            ["e-empty"] = [],
        };
    }

    public int Read(CheckpointFile file, long offset, Span<byte> into)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        BeforeRead();
        byte[] bytes = _files[file.Name];
        int count = Math.Min(into.Length, bytes.Length - (int)offset);
        bytes.AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    /// <summary>Runs when it is verified, which takes so many steps more; may throw.</summary>
    public Func<int> BeforeVerify { get; set; } = static () => 0;

    public bool WasVerified { get; private set; }

    public IEnumerable<long> Verify()
    {
        WasVerified = true;
        return FakeMachines.Steps(BeforeVerify);
    }

    public void Dispose() => IsDisposed = true;
}

/// <summary>A generation that is filled with the files of a fake checkpoint, each byte once and in order.</summary>
internal sealed class FakeStagedStore(FakeMachines machines, GroupId group, ulong generation) : IStagedStore
{
    private readonly SortedDictionary<string, ByteWriter> _files = new(StringComparer.Ordinal);

    public bool IsDisposed { get; private set; }

    public void Write(CheckpointFile file, long offset, ReadOnlySpan<byte> bytes)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        machines.BeforeWrite(file);
        if (offset == 0) _files.Add(file.Name, new ByteWriter());
        Assert.Equal(offset, _files[file.Name].Length);
        _files[file.Name].Raw(bytes);
        Assert.True(_files[file.Name].Length <= file.Length);
    }

    /// <summary>Only the whole of a checkpoint can be finished, byte by byte.</summary>
    public void Finish()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        machines.BeforeFinish();
        byte[] head = _files["d-index"].ToArray();
        (LogIndex Index, Term Term) at = (new LogIndex(BitConverter.ToUInt64(head)), new Term(BitConverter.ToUInt64(head, 8)));
        Assert.Equal(FakeCheckpoint.FilesOf(at.Index, at.Term), _files.ToDictionary(file => file.Key, file => file.Value.ToArray()));
        machines.Finished(group, generation, at);
    }

    public IEnumerable<long> Verify() => FakeMachines.Steps(machines.BeforeVerify);

    public void Dispose() => IsDisposed = true;
}

/// <summary>Opens fake machines that have applied up to the birth index, or what a test says.</summary>
internal sealed class FakeMachines(Trace trace) : IStateMachines
{
    public Dictionary<GroupId, LogIndex> Applied { get; } = [];

    public Dictionary<GroupId, FakeMachine> Opened { get; } = [];

    public IReadOnlyCollection<(GroupId Group, ulong Generation)> Live { get; private set; } = [];

    /// <summary>What a crash leaves of each generation that was finished or flushed.</summary>
    public Dictionary<(GroupId Group, ulong Generation), (LogIndex Index, Term Term)> Flushed { get; } = [];

    /// <summary>The store directories that are there, whole or not.</summary>
    public SortedSet<(GroupId Group, ulong Generation)> Directories { get; } = [];

    /// <summary>Every store that was staged, in order.</summary>
    public List<FakeStagedStore> StagedStores { get; } = [];

    /// <summary>Where a store may fail; each may throw.</summary>
    public Action BeforeStage { get; set; } = static () => { };

    public Action<CheckpointFile> BeforeWrite { get; set; } = static _ => { };

    public Action BeforeFinish { get; set; } = static () => { };

    /// <summary>Runs when a staged store is verified, which takes so many steps more; may throw.</summary>
    public Func<int> BeforeVerify { get; set; } = static () => 0;

    public long RoomBytes { get; set; } = long.MaxValue;

    public Action<ulong> BeforeOpen { get; set; } = static _ => { };

    public Action BeforeDelete { get; set; } = static () => { };

    public IStateMachine Open(GroupId group, ulong generation)
    {
        BeforeOpen(generation);
        Directories.Add((group, generation));
        FakeMachine machine = new(group, Applied.GetValueOrDefault(group, Some.Birth), trace);
        if (Flushed.TryGetValue((group, generation), out var at)) machine.At(at.Index, at.Term);
        machine.OnFlushed = (index, term) => Flushed[(group, generation)] = (index, term);
        return Opened[group] = machine;
    }

    internal static IEnumerable<long> Steps(Func<int> begin)
    {
        for (int left = begin(); left > 0; left--) yield return 1;
    }

    public IStagedStore Stage(GroupId group, ulong generation)
    {
        BeforeStage();
        Assert.True(Directories.Add((group, generation)), $"{group} generation {generation} is there already");
        FakeStagedStore store = new(this, group, generation);
        StagedStores.Add(store);
        return store;
    }

    public void Finished(GroupId group, ulong generation, (LogIndex Index, Term Term) at)
    {
        Flushed.Add((group, generation), at);
        trace.Add($"{group} generation {generation} is durable");
    }

    public void Delete(GroupId group, ulong generation)
    {
        BeforeDelete();
        Flushed.Remove((group, generation));
        if (Directories.Remove((group, generation))) trace.Add($"{group} generation {generation} deleted");
    }

    public void DeleteAllBut(IReadOnlyCollection<(GroupId Group, ulong Generation)> live, IReadOnlyCollection<GroupId> removed)
    {
        Live = live;
        Directories.IntersectWith(live);
        foreach (var gone in Flushed.Keys.Where(key => !live.Contains(key)).ToArray()) Flushed.Remove(gone);
    }
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
    public void Serve(IStateMachine machine, GroupId group, Term term, bool isByLease) => trace.Add($"{name} served by {group} at {machine.Applied}/{term}{(isByLease ? " by lease" : "")}");

    public bool IsWanted => true;

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

    public void OnLeaderKnown(long now, GroupId group) { }

    public bool HasCalls { get; set; }

    public byte[]? RefusalOf(FrameKind kind, ReadOnlyMemory<byte> body) => null;

    public void OnTick(long now) { }
}
