using System.Runtime.InteropServices;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>One try of a request at the group this node leads: proposes, reads or hands over, and turns what comes of it into a response.</summary>
internal abstract class Attempt(Front front, ReadOnlyMemory<byte> request) : IProposalOwner, IReadOwner, ITransferOwner
{
    protected Front Front { get; } = front;

    /// <summary>Of the state that a stale read is served from; see <see cref="KvResponse.AgeMicros"/>.</summary>
    public long? AgeMicros { get; init; }

    /// <inheritdoc/>
    public void OnApplied(GroupId group, LogIndex index, Term term, object? result)
    {
        Complete(result switch
        {
            KvApplied[] items => Place(group, index, term) with { Epoch = items[0].Epoch, Items = ImmutableCollectionsMarshal.AsImmutableArray(Array.ConvertAll(items, item => Describe(group, index, term, item))) },
            KvTxnApplied txn => Describe(group, index, term, txn),
            _ => Describe(group, index, term, (KvApplied)result!),
        });
    }

    /// <inheritdoc/>
    public void Serve(IStateMachine machine, GroupId group, Term term, bool isByLease)
    {
        KvStateMachine state = (KvStateMachine)machine;
        KvRequest asked = KvRequest.Decode(request);
        KvResponse response = asked.Operation switch
        {
            KvOperation.GetMany => ServeMany(state, group, term, KvGets.Decode(asked.Value)),
            KvOperation.ReadTxn => Describe(group, state.Applied, term, state.ReadTxn(KvTxn.Decode(asked.Value))),
            KvOperation.List => ServeList(state, group, term, KvListRequest.Decode(asked.Value)),
            KvOperation.Recall when state.RecallTxn(asked) is { } first => Describe(group, state.Applied, term, first),
            KvOperation.Recall => Place(group, state.Applied, term) with { Epoch = state.Meta.Epoch },
            _ => ServeGet(state, group, term, asked),
        };
        Complete(isByLease ? response with { IsByLease = true } : response);
    }

    /// <inheritdoc/>
    public void OnEnded(GroupId group, TransferResult result)
    {
        KvResponse place = Place(group, LogIndex.Zero, result.Term) with { LeaderHint = result.Leader };
        Complete(result.Outcome switch
        {
            TransferOutcome.Done => place,
            TransferOutcome.NoTarget => place with { Error = ErrorCode.NoSuchNode, Detail = $"no such node holds a voter of shard {group.Value}; leadership stayed with {Front.NodeName}" },
            TransferOutcome.TargetDown => place with { Error = ErrorCode.TransferFailed, Detail = $"the target's node is not heard from, its disk is stalled or it is stopping; leadership of shard {group.Value} stayed with {Front.NodeName}" },
            TransferOutcome.Stayed => place with { Error = ErrorCode.TransferFailed, Detail = $"the target lacks entries, or shard {group.Value} is being handed over to another node; leadership stayed with {Front.NodeName}" },
            TransferOutcome.NotTaken => place with { Error = ErrorCode.TransferUnknown, Detail = $"the target was told to take over and did not in time; {Front.NodeName} still leads shard {group.Value}" },
            _ => place with { Error = ErrorCode.TransferUnknown, Detail = $"{Front.NodeName} leads shard {group.Value} no more, and the target was not seen to take over" },
        });
    }

    private KvResponse ServeGet(KvStateMachine state, GroupId group, Term term, in KvRequest asked)
    {
        KvRead read = state.Get(asked.Key.Span, asked.Revision);
        bool isAhead = asked.Revision > read.ShardRevision;
        bool isCompacted = asked.Revision != 0 && asked.Revision < read.CompactRevision;
        return new KvResponse
        {
            Error = !read.IsInRange ? ErrorCode.WrongShard : isAhead ? ErrorCode.BadRevision : isCompacted ? ErrorCode.RevisionCompacted : null,
            Detail = isCompacted ? Compacted(asked.Revision, read.CompactRevision) : isAhead ? $"revision {asked.Revision} is above {read.ShardRevision}, the newest one at index {read.Applied}" : "",
            Node = Front.NodeName,
            Group = group,
            Epoch = read.Epoch,
            Term = term,
            Index = read.Applied,
            Revision = isAhead ? read.ShardRevision : read.Revision,
            Created = read.Created,
            Version = read.Version,
            Existed = read.Value is not null,
            TtlMillis = read.TtlMillis,
            Value = read.Value,
            AgeMicros = AgeMicros,
        };
    }

    /// <summary>As many gets as their values fit the budget; whoever asked asks for the others again.</summary>
    private KvResponse ServeMany(KvStateMachine state, GroupId group, Term term, KvGets gets)
    {
        KvResponse place = Place(group, state.Applied, term) with { Epoch = state.Meta.Epoch };
        List<KvResponse> items = [];
        long budget = gets.MaxValueBytes;
        foreach (KvRequest get in gets.Gets)
        {
            KvResponse item = ServeGet(state, group, term, get);
            budget -= item.Value.Length;
            if (budget < 0) return items.Count == 0 ? place.WithUnfit(item.Value.Length) : place with { Items = [.. items] };
            items.Add(item);
        }

        return place with { Items = [.. items] };
    }

    private KvResponse ServeList(KvStateMachine state, GroupId group, Term term, KvListRequest asked)
    {
        KvResponse place = Place(group, state.Applied, term) with { Epoch = state.Meta.Epoch, Revision = state.Meta.Revision };
        if (asked.Revision > state.Meta.Revision) return place with { Error = ErrorCode.BadRevision, Detail = $"revision {asked.Revision} is above {state.Meta.Revision}, the newest one at index {state.Applied}" };
        if (asked.Revision != 0 && asked.Revision < state.Meta.CompactRevision) return place with { Error = ErrorCode.RevisionCompacted, Detail = Compacted(asked.Revision, state.Meta.CompactRevision) };
        return state.List(asked) is { } chunk ? place with { Value = chunk.Encode() } : place with { Error = ErrorCode.WrongShard, Detail = $"the shard owns no hash of {asked.Range}" };
    }

    private static string Compacted(ulong revision, ulong oldest) => $"revision {revision} is older than the history kept, which begins at {oldest}";

    private KvResponse Place(GroupId group, LogIndex index, Term term) => new() { Node = Front.NodeName, Group = group, Term = term, Index = index };

    private KvResponse Describe(GroupId group, LogIndex index, Term term, KvTxnApplied txn)
    {
        KvResponse whole = Place(group, txn.IsReplay ? txn.FirstIndex : index, txn.IsReplay ? txn.FirstTerm : term) with
        {
            Error = txn.Error,
            Detail = txn.Error is null ? "" : DetailOf(txn.Error, txn.Exceeded),
            Epoch = txn.Epoch,
            Revision = txn.Revision,
            Succeeded = txn.Succeeded,
            IsReplay = txn.IsReplay,
        };
        if (txn.Exceeded is { } exceeded) return whole.Over(exceeded.Limit, exceeded.Actual);
        return whole with
        {
            Items = [.. txn.Items.Select(item => whole with
            {
                Revision = item.Revision,
                PrevRevision = item.PrevRevision,
                Created = item.Created,
                Version = item.Version,
                Existed = item.Existed,
                TtlMillis = item.TtlMillis,
                Value = item.Value,
            })],
        };
    }

    private KvResponse Describe(GroupId group, LogIndex index, Term term, KvApplied applied)
    {
        KvResponse response = new()
        {
            Error = applied.Error,
            Detail = applied.Error == ErrorCode.PreconditionFailed ? $"the key's revision is {applied.Revision}" : applied.Error is null ? "" : DetailOf(applied.Error, applied.Exceeded),
            Node = Front.NodeName,
            Group = group,
            Epoch = applied.Epoch,
            Term = applied.IsReplay ? applied.FirstTerm : term,
            Index = applied.IsReplay ? applied.FirstIndex : index,
            IsReplay = applied.IsReplay,
            Revision = applied.Revision,
            PrevRevision = applied.PrevRevision,
            Created = applied.Created,
            Version = applied.Version,
            Existed = applied.Existed,
        };
        return applied.Exceeded is { } exceeded ? response.Over(exceeded.Limit, exceeded.Actual) : response;
    }

    /// <summary>Why it was refused at apply, where that is the same for every request.</summary>
    private static string DetailOf(ErrorCode refusal, LimitExceeded? exceeded)
    {
        if (refusal == ErrorCode.IdempotencyKeyReused) return "the idempotency key names another request on this key, or another value, condition or ttl";
        if (refusal == ErrorCode.IdempotencyWindowPassed) return "the idempotency key is from a time whose records have expired here";
        if (refusal == ErrorCode.IdempotencyRecordsFull) return $"the shard's idempotency records, or their bytes, have come to {exceeded?.Actual}, the limit is {exceeded?.Limit}; they expire";
        if (refusal == ErrorCode.BatchTooLarge) return $"its gets would return {exceeded?.Actual} bytes or more, the limit is {exceeded?.Limit}";
        return refusal == ErrorCode.WrongShard ? "the shard does not own all of the request's keys" : "";
    }

    /// <inheritdoc/>
    public abstract void OnSuperseded();

    /// <inheritdoc/>
    public abstract void OnDropped();

    /// <inheritdoc/>
    public abstract bool IsWanted { get; }

    protected abstract void Complete(KvResponse response);
}

/// <summary>A try for a client of this node.</summary>
internal sealed class LocalAttempt(Front front, KvCall call) : Attempt(front, call.Request)
{
    /// <inheritdoc/>
    public override void OnSuperseded() => Front.PostRetry(call);

    /// <inheritdoc/>
    public override void OnDropped() => Front.Park(call);

    /// <inheritdoc/>
    public override bool IsWanted => !call.IsCompleted;

    protected override void Complete(KvResponse response)
    {
        // A refusal may speak of this attempt only, and STEP may just be beginning another one.
        if (call.IsWrite && call.IsRepeatable && (response.Error is not null || !response.Items.IsEmpty)) Front.PostCompletion(call, response);
        else call.TryComplete(response);
    }
}

/// <summary>A try for a client of another node: the answer goes back over the link.</summary>
internal sealed class ForwardedAttempt(Front front, NodeId origin, ulong originBoot, ulong number, ReadOnlyMemory<byte> request) : Attempt(front, request)
{
    /// <inheritdoc/>
    public override void OnSuperseded() => Refuse("another leader's entry took its place in the log", leader: default);

    /// <inheritdoc/>
    public override void OnDropped() => Refuse("leadership was lost before the read was confirmed", leader: default);

    /// <inheritdoc/>
    public override bool IsWanted => true;

    /// <summary>Answers that nothing was appended here, definitely.</summary>
    public void Refuse(string why, NodeId leader) => Complete(KvResponse.Fail(ErrorCode.NoLeader, why, Front.NodeName) with { LeaderHint = leader });

    public void Complete(ErrorCode error, string why) => Complete(KvResponse.Fail(error, why, Front.NodeName));

    /// <summary>Answers a write that was not proposed.</summary>
    public void Answer(KvResponse refusal) => Complete(refusal);

    protected override void Complete(KvResponse response)
    {
        Front.SendToPeer(origin, Front.AnswerFrame(originBoot, number, response).Written);
    }
}
