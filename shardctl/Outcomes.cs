using RaftKv.Client;
using RaftKv.Contracts;

namespace RaftKv.Shardctl;

/// <summary>From a request that was not applied to the line and the exit code that say so.</summary>
internal static class Outcomes
{
    /// <param name="key">As shown to the user.</param>
    public static CommandException Failure(RequestOutcome outcome, RequestError error, string key, IReadOnlyList<ClientEndpoint> endpoints)
    {
        if (outcome == RequestOutcome.Unknown)
            return new CommandException(ExitCode.OutcomeUnknown, $"{key}: outcome unknown, the write may have been applied or may be yet ({error}); read the key before you repeat it");
        if (error.Code == RequestError.CannotConnect)
            return new CommandException(ExitCode.CannotConnect, $"cannot connect to {(endpoints.Count == 1 ? "" : "any of ")}{string.Join(", ", endpoints)}: {error.Detail}");
        return new CommandException(ExitCodeOf(error), $"{key}: {error.Detail} ({error.Code}, {error.Endpoint})");
    }

    /// <summary>The refused condition, with what to expect instead.</summary>
    public static CommandException PreconditionFailure(WriteResult result, string key) => new(
        ExitCode.Precondition, result.CurrentRevision == 0 ? $"{key}: not done, the key has no value" : $"{key}: not done, the key's revision is {result.CurrentRevision}");

    public static CommandException NotFound(string key) => new(ExitCode.NotFound, $"{key}: no such key");

    private static int ExitCodeOf(RequestError error) => error.Status switch
    {
        414 => ExitCode.Usage, // A key far beyond the limit, which no node has seen.
        _ when error.Code == RequestError.NotRaftKv => ExitCode.CannotConnect,
        400 or 413 => ExitCode.Usage,
        404 => ExitCode.NotFound,
        401 or 403 => ExitCode.Denied,
        412 => ExitCode.Precondition,
        // No leader, shutting down, or the time was up before anything was appended.
        503 or 504 => ExitCode.Unhealthy,
        _ => error.Code == ErrorCode.OutOfSpace.Code ? ExitCode.Unhealthy : ExitCode.Error,
    };
}
