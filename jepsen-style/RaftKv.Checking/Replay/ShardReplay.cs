using System.Diagnostics.CodeAnalysis;

namespace RaftKv.Checking.Replay;

/// <summary>
/// The order of one shard: answered operations that wait until nothing can come before them any more, and how far the shard was known to be at any time.
/// </summary>
internal sealed class ShardReplay
{
    /// <summary>In the order of the shard; among operations at one place, by their calls.</summary>
    private readonly PriorityQueue<Operation, (ulong Index, int Item, long Call)> _waiting = new();

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
        Position position = operation.Position!.Value;
        _waiting.Enqueue(operation, (position.Index, position.Item, operation.Call));
        if (operation.Return == Operation.Never) return;
        if (_heights.Count == 0 || _heights[^1].Position!.Value.Index < position.Index) _heights.Add(operation);
    }

    /// <summary>
    /// The index below which no operation that is called at <paramref name="oldestCall"/> or later can come. What else comes later stands at or behind the highest
    /// index that had returned by then. Null if nothing comes any more. Times of call that are asked for never go back.
    /// </summary>
    public ulong? SettledBelow(long oldestCall)
    {
        if (oldestCall == Operation.Never) return null;
        int highest = HighestBefore(oldestCall);
        if (highest < 0) return 0;
        if (highest > 0) _heights.RemoveRange(0, highest); // Nobody will ask for an earlier time.
        return _heights[0].Position!.Value.Index;
    }

    /// <summary>Takes the next operation below the index, in the order of the shard; any for null.</summary>
    public bool TryTake(ulong? below, [MaybeNullWhen(false)] out Operation operation)
    {
        if (_waiting.TryPeek(out operation, out (ulong Index, int Item, long Call) place) && (below is null || place.Index < below))
        {
            _waiting.Dequeue();
            return true;
        }

        return false;
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
