using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>What a shard should do, as a dictionary: written from the design (§8, §9), not from the code.</summary>
internal sealed class Model(HashRange range)
{
    private readonly SortedDictionary<string, Current> _current = new(StringComparer.Ordinal);

    public ulong Revision { get; private set; }

    public ulong TimeMillis { get; private set; }

    public sealed record Current(ulong Revision, ulong Created, ulong Version, byte[] Value);

    public Current? Find(byte[] key) => _current.GetValueOrDefault(Convert.ToHexString(key));

    /// <summary>The result that the entry's owner is told; null for what is no command.</summary>
    public KvApplied? Apply(in Entry entry)
    {
        TimeMillis = Math.Max(TimeMillis, entry.StampMillis);
        return entry.Kind == EntryKind.Command ? Apply(KvRequest.Decode(entry.Payload), entry.RevisionFloor) : null;
    }

    private KvApplied Apply(KvRequest request, ulong floor)
    {
        byte[] key = request.Key.ToArray();
        if (!range.Contains(KeyHash.Of(key))) return Result(ErrorCode.WrongShard);
        Current? old = Find(key);
        bool holds = request.Condition switch
        {
            KvCondition.None => true,
            KvCondition.Absent => old is null,
            _ => (old?.Revision ?? 0) == request.ConditionRevision,
        };
        if (!holds) return Result(ErrorCode.PreconditionFailed, old?.Revision ?? 0, 0, old?.Created ?? 0, old?.Version ?? 0, old is not null);
        if (request.Operation == KvOperation.Delete)
        {
            if (old is null) return Result(null, Revision);
            _current.Remove(Convert.ToHexString(key));
            Revision = Math.Max(floor, Revision + 1);
            return Result(null, Revision, old.Revision, 0, 0, existed: true);
        }

        Revision = Math.Max(floor, Revision + 1);
        Current next = new(Revision, old?.Created ?? Revision, (old?.Version ?? 0) + 1, request.Value.ToArray());
        _current[Convert.ToHexString(key)] = next;
        return Result(null, next.Revision, old?.Revision ?? 0, next.Created, next.Version, old is not null);
    }

    private static KvApplied Result(ErrorCode? error, ulong revision = 0, ulong previous = 0, ulong created = 0, ulong version = 0, bool existed = false) =>
        new(error, revision, previous, created, version, existed, ShardEpoch.Initial);
}
