using RaftKv.Contracts;

namespace RaftKv.Client;

/// <summary>What became of one attempt of a request.</summary>
public enum AttemptResult
{
    /// <summary>Done: 2xx, or a read of a key that is definitely absent.</summary>
    Answered,

    /// <summary>Refused definitely; the same request would be refused again. It says nothing of an earlier attempt.</summary>
    Refused,

    /// <summary>
    /// Refused when it was applied, by its condition or because its idempotency key was another's: what is recorded under the key, and so true of every
    /// attempt (design §3.3).
    /// </summary>
    Settled,

    /// <summary>Refused definitely for want of room or rate (429): the same request may pass later.</summary>
    Overloaded,

    /// <summary>Refused definitely by a node that cannot serve now (503, 504 before anything was appended): another may.</summary>
    Unavailable,

    /// <summary>No node has the whole request: connection refused, unknown host, no connection in time, or an answer of something that is no node.</summary>
    NotSent,

    /// <summary>Sent, and then no answer, or one that says or implies <c>unknown</c>.</summary>
    Lost,

    /// <summary>As <see cref="Lost"/>, and the answer says that repeating it is of no use: what became of it will not be known.</summary>
    Untraceable,
}

/// <summary>From an HTTP answer to what it says of the attempt: the client's half of the table of design §11.</summary>
public static class AttemptClassifier
{
    /// <param name="status">The HTTP status.</param>
    /// <param name="code">The member <c>code</c> of the problem document, null if there was none.</param>
    /// <param name="outcome">Its member <c>outcome</c>: <c>not-applied</c>, <c>unknown</c>, or null.</param>
    /// <param name="retryable">Its member <c>retryable</c>.</param>
    public static AttemptResult Classify(int status, string? code, string? outcome, bool? retryable)
    {
        if (status is >= 200 and < 300) return AttemptResult.Answered;
        if (outcome == ErrorCode.OutcomeUnknown.OutcomeText) return retryable == false ? AttemptResult.Untraceable : AttemptResult.Lost;
        bool isDefinite = outcome == ErrorCode.NoLeader.OutcomeText;
        return status switch
        {
            404 when code == ErrorCode.KeyNotFound.Code => AttemptResult.Answered,
            412 or 422 when isDefinite => AttemptResult.Settled,
            429 => AttemptResult.Overloaded,
            // The node tried, and leadership stayed. Every further try would stall the shard's writes again.
            503 when code == ErrorCode.TransferFailed.Code => AttemptResult.Refused,
            503 or 504 when isDefinite => AttemptResult.Unavailable,
            // Out of space and what later versions add: definite because it says so.
            >= 500 when isDefinite => AttemptResult.Refused,
            // A 5xx without a word on the outcome may come from something in between, after it had passed the request on.
            >= 500 => AttemptResult.Lost,
            _ => AttemptResult.Refused,
        };
    }

    /// <summary>
    /// Of an answer that shows no sign of a node. What refuses is some other server, which applied nothing. What a gateway says when the node behind it did not answer
    /// leaves open whether that node has the request, and so does the success of a write: a proxy may have taken our headers away. A request line or head that is too long
    /// (414, 431) a node's HTTP server refuses before the node sees it.
    /// </summary>
    /// <param name="isRead">It changes nothing, whoever has it.</param>
    public static AttemptResult ClassifyForeign(int status, bool isRead) => status switch
    {
        >= 200 and < 300 when isRead => AttemptResult.NotSent,
        414 or 431 => AttemptResult.Refused,
        501 => AttemptResult.NotSent,
        (>= 200 and < 300) or >= 500 => AttemptResult.Lost,
        _ => AttemptResult.NotSent,
    };
}
