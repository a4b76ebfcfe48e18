using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RaftKv.Client;

namespace RaftKv.Tests.Fakes;

/// <summary>One request as it came over the wire.</summary>
internal sealed record FakeRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>What to answer.</summary>
internal sealed record FakeReply(int Status, string Body = "", params (string Name, string Value)[] Headers)
{
    /// <summary>Close the connection instead.</summary>
    public static readonly FakeReply Hangup = new(0);

    /// <summary>Say nothing until the fake is disposed.</summary>
    public static readonly FakeReply Silence = new(0);

    /// <summary>Whether to answer as a node, which names itself in every answer.</summary>
    public bool IsOfNode { get; private init; } = true;

    /// <summary>Of a server that has never heard of RaftKv.</summary>
    public static FakeReply Foreign(int status, string body = "<html>") => new(status, body) { IsOfNode = false };

    /// <summary>A problem document as a node writes it.</summary>
    public static FakeReply Problem(int status, string code, string? outcome, string detail = "as the test wants it", bool retryable = true, params (string Name, string Value)[] headers) =>
        new(status, $$"""{"title":"t","status":{{status}},"detail":"{{detail}}","code":"{{code}}"{{(outcome is null ? "" : $",\"outcome\":\"{outcome}\"")}},"retryable":{{(retryable ? "true" : "false")}}}""", headers);
}

/// <summary>An HTTP/1.1 server on a port of its own that does what a test says, down to the bytes: it can also hang up, or say nothing.</summary>
internal sealed class FakeNode : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<FakeRequest> _requests = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Func<FakeRequest, FakeReply> _answer;
    private readonly Task _accepting;

    public FakeNode(Func<FakeRequest, FakeReply> answer)
    {
        _answer = answer;
        _listener.Start();
        Endpoint = new ClientEndpoint("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);
        _accepting = AcceptAsync();
    }

    public FakeNode(FakeReply always)
        : this(_ => always)
    {
    }

    public ClientEndpoint Endpoint { get; }

    public FakeRequest[] Requests => [.. _requests];

    /// <summary>An endpoint on which nobody listens.</summary>
    public static ClientEndpoint Nobody()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return new ClientEndpoint("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _stopped.SetResult();
        await _accepting; // Before its listener goes, or it might be between two accepts.
        _listener.Dispose();
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using TcpClient connection = client;
        try
        {
            NetworkStream stream = connection.GetStream();
            while (await ReadAsync(stream) is { } request)
            {
                _requests.Enqueue(request);
                FakeReply reply = _answer(request);
                if (ReferenceEquals(reply, FakeReply.Hangup)) return;
                if (ReferenceEquals(reply, FakeReply.Silence)) await _stopped.Task;
                await WriteAsync(stream, reply);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The client has gone, or the fake was disposed.
        }
    }

    /// <summary>Null when the client has closed.</summary>
    private async Task<FakeRequest?> ReadAsync(NetworkStream stream)
    {
        List<byte> head = [];
        byte[] one = new byte[1];
        while (!EndsHead(head))
        {
            if (await stream.ReadAsync(one, _stop.Token) == 0) return null;
            head.Add(one[0]);
        }

        string[] lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Dictionary<string, string> headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        byte[] body = new byte[headers.TryGetValue("Content-Length", out string? length) ? int.Parse(length, CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, _stop.Token);
        string[] first = lines[0].Split(' ');
        return new FakeRequest(first[0], first[1], headers, body);
    }

    private static bool EndsHead(List<byte> head) => head.Count >= 4 && head[^4] == '\r' && head[^3] == '\n' && head[^2] == '\r' && head[^1] == '\n';

    private async Task WriteAsync(NetworkStream stream, FakeReply reply)
    {
        byte[] body = Encoding.UTF8.GetBytes(reply.Body);
        StringBuilder head = new();
        head.Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {reply.Status} Fake\r\nContent-Length: {body.Length}\r\n");
        if (reply.IsOfNode && reply.Headers.All(header => header.Name != "RaftKv-Node")) head.Append("RaftKv-Node: fake\r\n");
        foreach (var (name, value) in reply.Headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        head.Append("\r\n");
        await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(head.ToString()), .. body], _stop.Token);
    }
}
