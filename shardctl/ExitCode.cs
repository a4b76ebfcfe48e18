namespace RaftKv.Shardctl;

/// <summary>What the process ends with: a part of the interface that scripts rely on.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Error = 1;

    /// <summary>The command line, or a key or value in it, is wrong; nothing was changed.</summary>
    public const int Usage = 2;
    public const int CannotConnect = 3;
    public const int NotFound = 4;

    /// <summary>The cluster, or the shard asked for, cannot serve now; or a store of a stopped node cannot be read.</summary>
    public const int Unhealthy = 5;
    public const int Precondition = 6;

    /// <summary>A write that may have been applied, or may be yet.</summary>
    public const int OutcomeUnknown = 7;
    public const int Denied = 8;
}
