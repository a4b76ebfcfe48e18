namespace RaftKv.Checking.Replay;

/// <summary>
/// The order of one shard: answered operations that wait until nothing can come before them any more, and how far the shard was known to be at any time.
/// </summary>
internal sealed class ShardReplay
{
    private readonly List<Operation> _waiting = [];

    /// <summary>By the time of return, each higher than the one before: the highest index of all that had returned by then.</summary>
    private readonly List<Operation> _heights = [];
    private Operation? _lastWrite;

    /// <summary>An operation that had returned before this one was called, and stands behind it although it should not; null if there is none.</summary>
    public Operation? Overtaken(Operation operation)
    {
        int highest = HighestBefore(operation.Call);
        if (highest < 0) return null;
        Operation before = _heights[highest];
        ulong index = operation.Position!.Value.Index;
        bool isBehind = operation.Request.Kind == RequestKind.Get ? index >= before.Position!.Value.Index : index > before.Position!.Value.Index;
        return isBehind ? null : before;
    }

    /// <summary>In the order of their returns.</summary>
    public void Add(Operation operation)
    {
        _waiting.Add(operation);
        if (operation.Return == Operation.Never) return;
        if (_heights.Count == 0 || _heights[^1].Position!.Value.Index < operation.Position!.Value.Index) _heights.Add(operation);
    }

    /// <summary>
    /// Takes what no operation that is called at <paramref name="oldestCall"/> or later can come before, in the order of the shard. What else comes later stands
    /// at or behind the highest index that had returned by then.
    /// </summary>
    public List<Operation> TakeSettled(long oldestCall)
    {
        List<Operation> settled = [];
        if (oldestCall == Operation.Never)
        {
            settled.AddRange(_waiting);
            _waiting.Clear();
        }
        else if (HighestBefore(oldestCall) is var highest and >= 0)
        {
            ulong below = _heights[highest].Position!.Value.Index;
            settled.AddRange(_waiting.Where(IsSettled));
            _waiting.RemoveAll(IsSettled);
            _heights.RemoveRange(0, highest); // Nobody will ask for an earlier time.

            bool IsSettled(Operation operation) => operation.Position!.Value.Index < below;
        }

        settled.Sort(static (left, right) =>
        {
            int byPosition = left.Position!.Value.CompareTo(right.Position!.Value);
            return byPosition != 0 ? byPosition : left.Call.CompareTo(right.Call);
        });
        return settled;
    }

    /// <summary>Null if a write takes its place and its revision behind the last one; else the fault, and the last one.</summary>
    public (ReplayFault Fault, Operation Last)? Place(Operation operation)
    {
        if (operation.Request.Kind == RequestKind.Get || operation.Outcome.Kind != OutcomeKind.Ok) return null;
        if (operation.Request.Kind == RequestKind.Delete && !operation.Outcome.Existed) return null;
        Operation? last = _lastWrite;
        _lastWrite = operation;
        if (last is null) return null;
        if (last.Position == operation.Position) return (ReplayFault.PositionTaken, last);
        // The writes of one entry may share its revision.
        bool isLater = operation.Position!.Value.Index == last.Position!.Value.Index ? operation.Outcome.Revision >= last.Outcome.Revision : operation.Outcome.Revision > last.Outcome.Revision;
        return isLater ? null : (ReplayFault.RevisionOrder, last);
    }

    /// <summary>Which of the heights held when an operation was called; -1 if none.</summary>
    private int HighestBefore(long call)
    {
        int low = 0;
        int high = _heights.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_heights[middle].Return < call) low = middle + 1;
            else high = middle;
        }

        return low - 1;
    }
}
