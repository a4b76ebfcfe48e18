using System.Globalization;

namespace RaftKv.Client;

/// <summary>When a write applies: always, if the key is absent, or if its revision is the one named.</summary>
public readonly record struct WriteCondition
{
    public static readonly WriteCondition None;

    /// <summary>The key has no value.</summary>
    public static readonly WriteCondition IfAbsent = new() { IsIfAbsent = true };

    public bool IsIfAbsent { get; private init; }

    /// <summary>0: no revision is named.</summary>
    public ulong Revision { get; private init; }

    /// <summary>The key's revision is <paramref name="revision"/> ≥ 1.</summary>
    public static WriteCondition IfRevision(ulong revision)
    {
        ArgumentOutOfRangeException.ThrowIfZero(revision);
        return new WriteCondition { Revision = revision };
    }
}

/// <summary>Why a request has no result. <c>Code</c> is the server's stable code, or one of ours below; <c>Status</c> is 0 without an HTTP answer.</summary>
public sealed record RequestError(string Code, int Status, string Detail, ClientEndpoint Endpoint)
{
    /// <summary>No connection could be made; nothing was sent.</summary>
    public const string CannotConnect = "cannot-connect";

    /// <summary>Sent, but no answer came: the connection broke or the time was up.</summary>
    public const string NoAnswer = "no-answer";

    /// <summary>The answer is none of RaftKv's.</summary>
    public const string NotRaftKv = "not-raftkv";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Endpoint}: {Detail}");
}

/// <summary>Where a result stands: who served it, in which shard, at which log index.</summary>
/// <param name="Item">Of a batch, transaction or list: so that everything written has a position of its own. Null of a single operation.</param>
public sealed record Position(string Node, ulong Shard, string Epoch, ulong Term, ulong Index, int? Item = null)
{
    /// <summary>Of an answer that did not say.</summary>
    public static readonly Position None = new("", 0, "", 0, 0);
}

/// <summary>How new the state must be that a read is served from.</summary>
public enum ReadConsistency
{
    /// <summary>It shows every write that was acknowledged before it began.</summary>
    Linearizable,

    /// <summary>By the leader's lease, where the cluster has leases; else as Linearizable.</summary>
    Lease,

    /// <summary>Whatever the nearest replica has, at once.</summary>
    Stale,
}

/// <summary>How to read.</summary>
/// <param name="Revision">Of the shard, to read as of then; 0 the newest.</param>
public readonly record struct GetOptions(ReadConsistency Consistency = ReadConsistency.Linearizable, ulong Revision = 0)
{
    internal string Query => string.Create(
        CultureInfo.InvariantCulture, $"{Consistency switch { ReadConsistency.Lease => "&consistency=lease", ReadConsistency.Stale => "&consistency=stale", _ => "" }}{(Revision > 0 ? $"&revision={Revision}" : "")}");
}

/// <summary>The end of a read. Applied: <c>Value</c> is the value, or null if the key is absent. Else <c>Error</c> says why.</summary>
/// <param name="Consistency">The one that was used: linearizable or stale.</param>
/// <param name="Age">Of a stale read: for how long at most the replica may have lacked something; null if that is not known.</param>
/// <param name="Ttl">What is left of it, in whole seconds; null for ever.</param>
/// <param name="Revision">Of the value, which is also its ETag. <paramref name="Created"/>: of its first version. <paramref name="Version"/>: counts from 1.</param>
public sealed record GetResult(RequestOutcome Outcome, byte[]? Value, ulong Revision, ulong Created, ulong Version, Position Position, RequestError? Error, string Consistency, TimeSpan? Age, TimeSpan? Ttl = null);

/// <summary>The end of a put or delete. Applied: what it did. Else <c>Error</c> says why.</summary>
/// <param name="Revision">Applied: the revision it got. 0 if not known.</param>
/// <param name="PrevRevision">Of the value it replaced or deleted, 0 if there was none.</param>
/// <param name="CurrentRevision">After a refused condition: the key's revision, 0 if it is absent.</param>
/// <param name="IsReplay">An earlier attempt had been applied or refused; this is its result.</param>
public sealed record WriteResult(RequestOutcome Outcome, ulong Revision, ulong PrevRevision, ulong CurrentRevision, Position Position, RequestError? Error, bool IsReplay = false);

/// <summary>The end of a transfer of leadership. Applied: <c>Leader</c> leads in <c>Term</c>. Else <c>Error</c> says why.</summary>
public sealed record TransferResult(RequestOutcome Outcome, string? Leader, ulong Term, RequestError? Error);
