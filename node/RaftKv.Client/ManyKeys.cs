using System.Collections.Immutable;

namespace RaftKv.Client;

/// <summary>What one operation of a batch or transaction does.</summary>
public enum OperationKind
{
    Put,
    Get,
    Delete,
}

/// <summary>One operation of a batch or transaction.</summary>
/// <param name="Ttl">For a put: how long the value lives, in whole seconds; null for ever.</param>
/// <param name="Condition">Of a write, in a batch only.</param>
/// <param name="Revision">For a get, in a batch only: the revision to read at; 0 the newest.</param>
public sealed record Operation(OperationKind Kind, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value = default, TimeSpan? Ttl = null, WriteCondition Condition = default, ulong Revision = 0)
{
    public bool IsWrite => Kind != OperationKind.Get;

    public static Operation Put(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, TimeSpan? ttl = null, WriteCondition condition = default) => new(OperationKind.Put, key, value, ttl, condition);

    public static Operation Get(ReadOnlyMemory<byte> key, ulong revision = 0) => new(OperationKind.Get, key, Revision: revision);

    public static Operation Delete(ReadOnlyMemory<byte> key, WriteCondition condition = default) => new(OperationKind.Delete, key, Condition: condition);
}

/// <summary>What became of one operation. Its outcome is the request's for a transaction, its own in a batch.</summary>
/// <param name="Value">Of a get that found one, else null.</param>
/// <param name="Existed">A get found the key; a delete deleted it; a put replaced something.</param>
/// <param name="Revision">As in <see cref="GetResult"/> and <see cref="WriteResult"/>; after a refused condition the key's, 0 if it is absent.</param>
public sealed record OperationResult(RequestOutcome Outcome, byte[]? Value, bool Existed, ulong Revision, ulong PrevRevision, ulong Created, ulong Version, Position Position, RequestError? Error);

/// <summary>The end of a batch. Applied: each operation has its own outcome in <c>Items</c>, in order. Else there are none, and <c>Error</c> says why.</summary>
public sealed record BatchResult(RequestOutcome Outcome, ImmutableArray<OperationResult> Items, RequestError? Error);

/// <summary>What of a key a transaction compares.</summary>
public enum CompareTarget
{
    Value,
    Revision,
    Version,
    Created,
    Exists,
}

/// <summary>How it must stand to the operand.</summary>
public enum CompareRelation
{
    Equal,
    NotEqual,
    Less,
    Greater,
}

/// <summary>One comparison of a transaction. <c>Value</c> is the operand for the target Value, <c>Number</c> for the others; Exists is 1 or 0.</summary>
public sealed record Compare(ReadOnlyMemory<byte> Key, CompareTarget Target, CompareRelation Relation, ulong Number = 0, ReadOnlyMemory<byte> Value = default)
{
    public static Compare RevisionIs(ReadOnlyMemory<byte> key, ulong revision) => new(key, CompareTarget.Revision, CompareRelation.Equal, revision);

    public static Compare ValueIs(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value) => new(key, CompareTarget.Value, CompareRelation.Equal, Value: value);

    public static Compare Exists(ReadOnlyMemory<byte> key, bool exists = true) => new(key, CompareTarget.Exists, CompareRelation.Equal, exists ? 1UL : 0);
}

/// <summary>Compare, then, else on keys of one shard: keys with the same <c>{tag}</c> share one.</summary>
public sealed record Txn(ImmutableArray<Compare> Compare, ImmutableArray<Operation> Then, ImmutableArray<Operation> Else);

/// <summary>The end of a transaction. Applied: <c>Items</c> are the results of <c>Then</c> if it succeeded, else of <c>Else</c>.</summary>
/// <param name="Revision">Its own, if it changed anything; else the shard's.</param>
/// <param name="IsReplay">An earlier attempt had been applied; this is its result.</param>
public sealed record TxnResult(RequestOutcome Outcome, bool Succeeded, ulong Revision, ImmutableArray<OperationResult> Items, bool IsReplay, Position Position, RequestError? Error);

/// <summary>Which keys to list: those that begin with <c>Prefix</c>, in [Start, End). Empty restricts nothing.</summary>
public sealed record ListQuery(ReadOnlyMemory<byte> Prefix = default, ReadOnlyMemory<byte> Start = default, ReadOnlyMemory<byte> End = default, bool KeysOnly = false)
{
    /// <summary>Keys a page, 1 to the server's maxListKeys.</summary>
    public int PageKeys { get; init; } = 1_000;
}

/// <summary>One key of a list.</summary>
/// <param name="Value">Null when only keys were asked for.</param>
/// <param name="Ttl">What is left of it; null for ever.</param>
public sealed record ListItem(byte[] Key, byte[]? Value, ulong Revision, ulong Created, ulong Version, TimeSpan? Ttl, Position Position);

/// <summary>The end of a count.</summary>
public sealed record CountResult(RequestOutcome Outcome, long Count, RequestError? Error);

/// <summary>A list could not go on. Reads have no effect, so there is nothing to be unsure of.</summary>
public sealed class ListFailedException(RequestError error) : Exception(error.ToString())
{
    public RequestError Error { get; } = error;
}
