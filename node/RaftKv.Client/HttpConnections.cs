namespace RaftKv.Client;

/// <summary>The one way this library sets up HTTP.</summary>
internal static class HttpConnections
{
    /// <summary>No proxy, redirect, cookie or timeout of its own: a request goes to the endpoint it is meant for, once.</summary>
    public static HttpClient Create(TimeSpan connectTimeout) =>
        new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = connectTimeout,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };

    /// <summary>Why an attempt failed, in words that a person without a .NET manual understands.</summary>
    public static string Explain(Exception exception) => exception switch
    {
        HttpRequestException { InnerException: System.Net.Sockets.SocketException socket } => socket.Message,
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "unknown host",
        HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded } => "the connection was closed before the answer",
        { InnerException: TimeoutException } => "no connection in time",
        OperationCanceledException => "no answer in time",
        _ => exception.Message.ReplaceLineEndings(" "),
    };
}
