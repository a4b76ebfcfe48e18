using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// The state of a replica that a message made: none, and no store (generation 0). It owns no range and applies no entry; its first state is a
/// snapshot (design §8).
/// </summary>
internal sealed class EmptyMachine(GroupId group) : IStateMachine
{
    public LogIndex Applied => LogIndex.Zero;

    public Term AppliedTerm => Term.Zero;

    public Configuration Configuration => Configuration.Empty;

    public (ulong Version, ulong ConfVersion) EpochNumbers => default;

    public LogIndex FlushedApplied => LogIndex.Zero;

    public ulong TimeMillis => 0;

    public ulong? NextDeadlineMillis => null;

    public ulong? NextCompactionMillis => null;

    public ReadOnlyMemory<byte> DeadlineCommand => default;

    public void Begin() => throw new InvariantViolatedException($"{group}: entries before the first snapshot");

    public object? Apply(in Entry entry, bool wantsResult) => throw new InvariantViolatedException($"{group}: entry {entry.Index} before the first snapshot");

    public void Commit() => throw new InvariantViolatedException($"{group}: entries before the first snapshot");

    public void BeginFlush() { }

    public ICheckpoint CreateCheckpoint() => throw new StoreFailedException($"{group}: there is no state to make a checkpoint of");

    public void Dispose() { }
}
