namespace RaftKv.Client;

/// <summary>Whom a client asks and for how long.</summary>
public sealed record RaftKvClientOptions
{
    /// <summary>At least one. Any node answers for any key; more of them keep the client going when one is down.</summary>
    public required IReadOnlyList<ClientEndpoint> Endpoints { get; init; }

    /// <summary>Of a whole request with all its attempts. Up to 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest an endpoint may take to accept a connection before the next one is asked.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Give up at once when no endpoint accepts connections, instead of waiting for one to come back.</summary>
    public bool FailWhenNoneListens { get; init; }

    /// <summary>
    /// Give every write an idempotency key, so that it can be tried again when an attempt was lost. Without one a lost write is Unknown at once; it
    /// costs the server a record for each write while the window lasts (see /v1/limits).
    /// </summary>
    public bool IdempotencyKeys { get; init; } = true;

    /// <summary>Of the waits' jitter.</summary>
    public int Seed { get; init; } = Environment.ProcessId;
}
