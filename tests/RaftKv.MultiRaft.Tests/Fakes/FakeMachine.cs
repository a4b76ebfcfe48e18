using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>A state machine that only notes what it is told. Results are <c>result of index</c>.</summary>
internal sealed class FakeMachine(GroupId group, LogIndex applied, Trace trace) : IStateMachine
{
    private int _entries;

    public LogIndex Applied { get; private set; } = applied;

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
        TimeMillis = Math.Max(TimeMillis, entry.StampMillis);
        _entries++;
        return wantsResult ? $"result of {entry.Index}" : null;
    }

    public void Commit()
    {
        BeforeCommit();
        trace.Add($"{group} applied {Applied.Value - (ulong)_entries + 1}..{Applied}");
    }

    public void Dispose() => IsDisposed = true;
}

/// <summary>Opens fake machines that have applied up to the birth index, or what a test says.</summary>
internal sealed class FakeMachines(Trace trace) : IStateMachines
{
    public Dictionary<GroupId, LogIndex> Applied { get; } = [];

    public Dictionary<GroupId, FakeMachine> Opened { get; } = [];

    public IReadOnlyCollection<(GroupId Group, ulong Generation)> Live { get; private set; } = [];

    public IStateMachine Open(GroupId group, ulong generation) => Opened[group] = new FakeMachine(group, Applied.GetValueOrDefault(group, Some.Birth), trace);

    public void DeleteAllBut(IReadOnlyCollection<(GroupId Group, ulong Generation)> live) => Live = live;
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
