using System.Collections.Immutable;

namespace RaftKv.Checking.Histories;

/// <summary>Which call of the API.</summary>
public enum CallKind : byte
{
    Get,
    Put,
    Delete,

    /// <summary>Operations on any shards, each for itself.</summary>
    Batch,

    /// <summary>Compare, then, else on keys of one shard, at once.</summary>
    Txn,

    /// <summary>All keys with a prefix; of each shard one state, of different shards maybe of different times.</summary>
    List,
}

/// <summary>How fresh a read has to be.</summary>
public enum Freshness : byte
{
    Linearizable,
    Lease,

    /// <summary>What the asked node has; the answer says how old it may be.</summary>
    Stale,
}

/// <summary>
/// One call of a client on the API: what was asked, what was answered, and when. Every workload's history consists of these, whatever it means by them; its checker
/// knows. Invariant: Call ≤ Return.
/// </summary>
/// <param name="Process">Who asked: a client that has one call open at a time. After an unknown outcome it goes on under another number.</param>
/// <param name="Call">When the request left, in microseconds of the run.</param>
/// <param name="Return">When the answer was there; <see cref="Operation.Never"/> for an unknown outcome.</param>
/// <param name="Operations">What was asked: one operation, those of a batch, or those of a transaction's branch <b>then</b>. Empty for a list.</param>
/// <param name="Outcome">
/// Of the call as a whole. Ok: <see cref="Results"/> are there. Refused: the single operation's condition did not hold (a batch and a transaction are never refused: their items
/// are, or the branch <b>else</b> ran). Unknown and Failed: nothing else is known.
/// </param>
public sealed record ClientCall(int Process, long Call, long Return, CallKind Kind, ImmutableArray<KvOperation> Operations, OutcomeKind Outcome)
{
    /// <summary>
    /// What became of each operation asked, in order: of a batch of <see cref="Operations"/>, of a transaction of the branch that ran. Of a list, what was found, in the order of
    /// keys. Of a single operation one item, also when it was refused. Otherwise empty.
    /// </summary>
    public ImmutableArray<KvResult> Results { get; init; } = [];

    /// <summary>Of a transaction: all must hold for the branch <b>then</b>.</summary>
    public ImmutableArray<KvCompare> Compares { get; init; } = [];

    /// <summary>Of a transaction: what is done when a comparison fails.</summary>
    public ImmutableArray<KvOperation> Else { get; init; } = [];

    /// <summary>Of a transaction that is Ok: whether the comparisons held.</summary>
    public bool Succeeded { get; init; }

    /// <summary>Of a list: which keys.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Of a get or list: what was asked for.</summary>
    public Freshness Freshness { get; init; }

    /// <summary>Of a stale read: how old the answer says it may be, in milliseconds.</summary>
    public long? AgeMillis { get; init; }

    /// <summary>Ties the attempts of one write together: of all calls with the same one, one write at most happens. Empty: none was sent.</summary>
    public string IdempotencyKey { get; init; } = "";

    /// <summary>The answer was that of an earlier attempt.</summary>
    public bool IsReplay { get; init; }

    /// <summary>Who answered, by its own word; empty without an answer.</summary>
    public string Node { get; init; } = "";

    /// <summary>The code of the error, without which the outcome is Ok or Refused.</summary>
    public string Error { get; init; } = "";

    /// <summary>The end of the interval in which it can have taken effect.</summary>
    public long LatestEffect => Outcome == OutcomeKind.Unknown ? Operation.Never : Return;

    /// <summary>Whether it may change anything.</summary>
    public bool IsWrite => Operations.Any(operation => operation.Kind != RequestKind.Get) || Else.Any(operation => operation.Kind != RequestKind.Get);
}

/// <summary>One operation of a call.</summary>
/// <param name="Value">Of a put; else null.</param>
/// <param name="Condition">Of a put or delete by itself or in a batch.</param>
/// <param name="MatchRevision">For <see cref="ConditionKind.IfMatch"/>, else 0.</param>
/// <param name="TtlSeconds">Of a put: how long the value lives; null for ever.</param>
public sealed record KvOperation(RequestKind Kind, string Key, string? Value = null, ConditionKind Condition = ConditionKind.None, ulong MatchRevision = 0, int? TtlSeconds = null)
{
    public static KvOperation Get(string key) => new(RequestKind.Get, key);

    public static KvOperation Put(string key, string value, int? ttlSeconds = null) => new(RequestKind.Put, key, value, TtlSeconds: ttlSeconds);

    public static KvOperation Delete(string key) => new(RequestKind.Delete, key);

    public KvOperation IfMatch(ulong revision) => this with { Condition = ConditionKind.IfMatch, MatchRevision = revision };

    public KvOperation IfAbsent() => this with { Condition = ConditionKind.IfNoneMatch };
}

/// <summary>What became of one operation, or one key that a list found.</summary>
/// <param name="Outcome">Its own in a batch; elsewhere the call's.</param>
/// <param name="Existed">A get found a value, a delete something to delete, a put something to replace.</param>
/// <param name="Value">That a get or list found; else null.</param>
/// <param name="Revision">Of a write that which it was given, 0 if it changed nothing; of a get that of the value found; refused: the key's, 0 if it is absent.</param>
/// <param name="Previous">Of a write: the revision of what it replaced, 0 if the key was absent.</param>
/// <param name="Version">Of a value found: how often it was written since it was created; else 0.</param>
/// <param name="Position">Where in the shard's order; null if the answer did not say.</param>
public sealed record KvResult(string Key, OutcomeKind Outcome, bool Existed, string? Value, ulong Revision, ulong Previous, ulong Version, Position? Position);

/// <summary>What a transaction compares: the key's mod revision (0: absent) must be the one given.</summary>
public sealed record KvCompare(string Key, ulong Revision);
