using System.Collections.Frozen;
using System.Collections.Immutable;

namespace RaftKv.Contracts;

/// <summary>What is known about the effect of the attempt that ended in an error (design §3.3).</summary>
public enum ErrorOutcome
{
    /// <summary>There was no effect to speak of: a read, answered definitely.</summary>
    None,

    /// <summary>Definite: nothing of this attempt was or ever will be applied. Text <c>not-applied</c>.</summary>
    NotApplied,

    /// <summary>It may have been applied, or may be yet. Text <c>unknown</c>.</summary>
    Unknown,
}

/// <summary>The status codes of gRPC that we answer with, by gRPC's own numbers.</summary>
public enum GrpcStatus
{
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// <summary>
/// A kind of error a client can be answered with: the one table of design §11, for HTTP and gRPC. <see cref="Code"/> is
/// the stable member <c>code</c> of the problem document; a code, once released, keeps its meaning for ever. Compared by
/// reference: the table holds the only instances.
/// </summary>
/// <remarks>
/// Invariants: a code that is refused before anything was appended is NotApplied; only what may have been appended is
/// Unknown. Retryable says that the same request may succeed later unchanged; where the outcome is Unknown a write may be
/// repeated only with the same idempotency key (design §3.4).
/// </remarks>
public sealed class ErrorCode
{
    // 400: the request itself is wrong.
    public static readonly ErrorCode BadArgument = NotApplied("bad-argument", 400, GrpcStatus.InvalidArgument, "The request is malformed.");
    public static readonly ErrorCode KeyEmpty = NotApplied("key-empty", 400, GrpcStatus.InvalidArgument, "A key has at least one byte.");
    public static readonly ErrorCode KeyTooLong = NotApplied("key-too-long", 400, GrpcStatus.InvalidArgument, "The key is longer than maxKeyBytes.");
    public static readonly ErrorCode BadKeyEncoding = NotApplied("bad-key-encoding", 400, GrpcStatus.InvalidArgument, "The key's percent-encoding or base64url cannot be decoded.");
    public static readonly ErrorCode UnknownParameter = NotApplied("unknown-parameter", 400, GrpcStatus.InvalidArgument, "The call has no query parameter of this name.");
    public static readonly ErrorCode BadRevision = NotApplied("bad-revision", 400, GrpcStatus.InvalidArgument, "The revision is not a positive 64-bit number, or has not come yet.");
    public static readonly ErrorCode BadCondition = NotApplied("bad-condition", 400, GrpcStatus.InvalidArgument, "If-Match or If-None-Match is not of a form this call knows.");
    public static readonly ErrorCode BadTtl = NotApplied("bad-ttl", 400, GrpcStatus.InvalidArgument, "The ttl is not a positive number of seconds.");
    public static readonly ErrorCode BadConsistency = NotApplied("bad-consistency", 400, GrpcStatus.InvalidArgument, "The consistency is none of linearizable, lease, stale.");
    public static readonly ErrorCode BadCursor = NotApplied("bad-cursor", 400, GrpcStatus.InvalidArgument, "The cursor or limit of the list is not valid.");
    public static readonly ErrorCode BadDeadline = NotApplied("bad-deadline", 400, GrpcStatus.InvalidArgument, "RaftKv-Timeout is malformed or above maxDeadlineMillis.");
    public static readonly ErrorCode BadIdempotencyKey = NotApplied("bad-idempotency-key", 400, GrpcStatus.InvalidArgument, "The idempotency key is empty, too long, or a UUIDv7 too far ahead of this node's clock.");

    // 401, 403.
    public static readonly ErrorCode Unauthenticated = NotApplied("unauthenticated", 401, GrpcStatus.Unauthenticated, "No valid credentials.");
    public static readonly ErrorCode PermissionDenied = NotApplied("permission-denied", 403, GrpcStatus.PermissionDenied, "The credentials do not allow this.");

    // 404, 405: there is no such thing here.
    public static readonly ErrorCode KeyNotFound = Read("key-not-found", 404, GrpcStatus.Ok, "The key has no value.");
    public static readonly ErrorCode NoSuchRoute = NotApplied("no-such-route", 404, GrpcStatus.Unimplemented, "There is no call of this path.");
    public static readonly ErrorCode NoSuchShard = NotApplied("no-such-shard", 404, GrpcStatus.NotFound, "There is no shard of this id.");
    public static readonly ErrorCode NoSuchNode = NotApplied("no-such-node", 404, GrpcStatus.NotFound, "There is no node of this name, or it has no replica of the shard.");
    public static readonly ErrorCode MethodNotAllowed = NotApplied("method-not-allowed", 405, GrpcStatus.Unimplemented, "The path does not know this method.");

    // 409, 410, 412: the data does not allow it.
    public static readonly ErrorCode SpansShards = NotApplied("spans-shards", 409, GrpcStatus.FailedPrecondition, "The keys of a transaction are in more than one shard.");
    public static readonly ErrorCode IdempotencyWindowPassed = Unknown("idempotency-window-passed", 409, GrpcStatus.FailedPrecondition, retryable: false, "The key's record has expired: this attempt was not applied, an earlier one may have been.");
    public static readonly ErrorCode RevisionCompacted = Read("revision-compacted", 410, GrpcStatus.OutOfRange, "The revision is older than the history kept.");
    public static readonly ErrorCode PreconditionFailed = NotApplied("precondition-failed", 412, GrpcStatus.Ok, "The condition does not hold.");

    // 413: over a limit; the answer names limit and actual.
    public static readonly ErrorCode ValueTooLarge = NotApplied("value-too-large", 413, GrpcStatus.InvalidArgument, "The value is longer than maxValueBytes.");
    public static readonly ErrorCode BatchTooLarge = NotApplied("batch-too-large", 413, GrpcStatus.InvalidArgument, "The batch or transaction has too many operations or bytes.");

    // 422.
    public static readonly ErrorCode IdempotencyKeyReused = NotApplied("idempotency-key-reused", 422, GrpcStatus.InvalidArgument, "The idempotency key was used for another request on this key.");

    // 429: refused before anything was appended; answered with Retry-After.
    public static readonly ErrorCode Overloaded = NotApplied("overloaded", 429, GrpcStatus.ResourceExhausted, "A bounded queue is full.", retryable: true);
    public static readonly ErrorCode RateLimited = NotApplied("rate-limited", 429, GrpcStatus.ResourceExhausted, "The client is over its rate.", retryable: true);
    public static readonly ErrorCode IdempotencyRecordsFull = NotApplied("idempotency-records-full", 429, GrpcStatus.ResourceExhausted, "The shard holds as many idempotency records as it may.", retryable: true);

    // 503: refused before anything was appended, or proved not applied; another moment may do.
    public static readonly ErrorCode NoLeader = NotApplied("no-leader", 503, GrpcStatus.Unavailable, "No leader is known, or the leader has lost its quorum; nothing was appended.", retryable: true);
    public static readonly ErrorCode WrongShard = NotApplied("wrong-shard", 503, GrpcStatus.Unavailable, "The shard no longer owns the key's hash; nothing was applied.", retryable: true);
    public static readonly ErrorCode ShuttingDown = NotApplied("shutting-down", 503, GrpcStatus.Unavailable, "This node is stopping; ask another.", retryable: true);

    public static readonly ErrorCode TransferFailed = NotApplied("transfer-failed", 503, GrpcStatus.Unavailable, "The target could not take over; leadership stayed where it was.", retryable: true);

    // 504.
    public static readonly ErrorCode Deadline = NotApplied("deadline", 504, GrpcStatus.DeadlineExceeded, "The deadline passed before anything was appended.", retryable: true);
    // Not UNAVAILABLE: some gRPC clients repeat that by themselves, and etcd's API has no idempotency key to make it safe.
    public static readonly ErrorCode OutcomeUnknown = Unknown("outcome-unknown", 504, GrpcStatus.DeadlineExceeded, retryable: true, "Appended, then neither its commit nor its loss was seen; repeat only with the same idempotency key.");

    public static readonly ErrorCode TransferUnknown = Unknown("transfer-unknown", 504, GrpcStatus.DeadlineExceeded, retryable: true, "Leadership was not seen to move to the target in time; it may yet.");

    // 507.
    public static readonly ErrorCode OutOfSpace = NotApplied("out-of-space", 507, GrpcStatus.ResourceExhausted, "Free disk is below the floor; deletes go on.", retryable: true);

    // 500: a fault of ours. What was appended before it is not known.
    public static readonly ErrorCode Internal = Unknown("internal", 500, GrpcStatus.Internal, retryable: false, "An unexpected fault; the node's log says more.");

    /// <summary>Every code, in the order above.</summary>
    public static readonly ImmutableArray<ErrorCode> All =
    [
        BadArgument, KeyEmpty, KeyTooLong, BadKeyEncoding, UnknownParameter, BadRevision, BadCondition, BadTtl,
        BadConsistency, BadCursor, BadDeadline, BadIdempotencyKey,
        Unauthenticated, PermissionDenied,
        KeyNotFound, NoSuchRoute, NoSuchShard, NoSuchNode, MethodNotAllowed,
        SpansShards, IdempotencyWindowPassed, RevisionCompacted, PreconditionFailed,
        ValueTooLarge, BatchTooLarge,
        IdempotencyKeyReused,
        Overloaded, RateLimited, IdempotencyRecordsFull,
        NoLeader, WrongShard, ShuttingDown, TransferFailed,
        Deadline, OutcomeUnknown, TransferUnknown,
        OutOfSpace,
        Internal,
    ];

    private static readonly FrozenDictionary<string, ErrorCode> ByCode = All.ToFrozenDictionary(e => e.Code, StringComparer.Ordinal);

    private ErrorCode(string code, int httpStatus, GrpcStatus grpcStatus, ErrorOutcome outcome, bool retryable, string title)
    {
        Code = code;
        HttpStatus = httpStatus;
        GrpcStatus = grpcStatus;
        Outcome = outcome;
        Retryable = retryable;
        Title = title;
    }

    /// <summary>Lower-case words joined by hyphens.</summary>
    public string Code { get; }

    /// <summary>400…599.</summary>
    public int HttpStatus { get; }

    /// <summary>Ok where gRPC's answer carries the fact itself: an empty range, succeeded=false.</summary>
    public GrpcStatus GrpcStatus { get; }

    public ErrorOutcome Outcome { get; }

    public bool Retryable { get; }

    /// <summary>One sentence for people; not stable. The problem document's <c>title</c>; its <c>detail</c> is the case at hand.</summary>
    public string Title { get; }

    /// <summary>The member <c>outcome</c> of the problem document, or null when it has none.</summary>
    public string? OutcomeText => Outcome switch
    {
        ErrorOutcome.NotApplied => "not-applied",
        ErrorOutcome.Unknown => "unknown",
        _ => null,
    };

    /// <summary>The error of that code, or null for one this version does not know (a newer node's).</summary>
    public static ErrorCode? Find(string code) => ByCode.GetValueOrDefault(code);

    public override string ToString() => Code;

    private static ErrorCode NotApplied(string code, int http, GrpcStatus grpc, string title, bool retryable = false) => new(code, http, grpc, ErrorOutcome.NotApplied, retryable, title);

    private static ErrorCode Unknown(string code, int http, GrpcStatus grpc, bool retryable, string title) => new(code, http, grpc, ErrorOutcome.Unknown, retryable, title);

    private static ErrorCode Read(string code, int http, GrpcStatus grpc, string title) => new(code, http, grpc, ErrorOutcome.None, retryable: false, title);
}
