using RaftKv.Contracts;

namespace RaftKv.Node.Http;

/// <summary>The request ends here, with this error; nothing of it was appended.</summary>
/// <param name="limit">With the actual value, when a limit is what refuses.</param>
internal sealed class ApiException(ErrorCode error, string detail, long? limit = null, long? actual = null) : Exception(detail)
{
    public ErrorCode Error { get; } = error;

    public long? Limit { get; } = limit;

    public long? Actual { get; } = actual;

    /// <summary>For 405: the methods that the path knows.</summary>
    public string? Allow { get; init; }
}
