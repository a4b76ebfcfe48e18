namespace RaftKv.Client;

/// <summary>What is known about a whole request when it is over (design §3.3).</summary>
public enum RequestOutcome
{
    /// <summary>It was answered: a write is applied and durable, a read has its result.</summary>
    Applied,

    /// <summary>Definite: nothing of it was or ever will be applied.</summary>
    Rejected,

    /// <summary>A write that may have been applied, or may be yet. A read is never unknown: it has no effect.</summary>
    Unknown,
}
