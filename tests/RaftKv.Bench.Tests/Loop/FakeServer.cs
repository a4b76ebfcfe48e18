using System.Net;
using System.Net.Sockets;
using System.Text;
using RaftKv.Client;

namespace RaftKv.Bench.Tests.Loop;

/// <summary>How the fake server treats a request.</summary>
internal enum FakeAnswer
{
    Done,
    NotFound,
    Overloaded,
    OutcomeUnknown,

    /// <summary>The connection is closed instead.</summary>
    Close,

    /// <summary>None ever, on a connection that stays open.</summary>
    Silence,
}

/// <summary>Serves HTTP/1.1 on loopback as a test says, and counts what it sees.</summary>
internal sealed class FakeServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<string, string, FakeAnswer> _answer;
    private readonly Lock _lock = new();
    private readonly Dictionary<FakeAnswer, int> _given = [];
    private readonly Dictionary<string, int> _puts = [];
    private readonly TaskCompletionSource _closed = new();
    private readonly TaskCompletionSource _gathered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _gather;
    private int _underWay;

    /// <param name="answer">From method and key.</param>
    /// <param name="gather">The first answers wait until there are so many requests at once.</param>
    public FakeServer(Func<string, string, FakeAnswer> answer, int gather = 1)
    {
        _answer = answer;
        _gather = gather;
        _listener.Start();
        _ = AcceptAsync();
    }

    public ClientEndpoint Endpoint => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    public int Connections { get; private set; }

    /// <summary>The most requests it ever had at once.</summary>
    public int MostUnderWay { get; private set; }

    /// <summary>Puts it said were done, by key.</summary>
    public IReadOnlyDictionary<string, int> Puts
    {
        get { lock (_lock) return new Dictionary<string, int>(_puts); }
    }

    public int Given(FakeAnswer answer)
    {
        lock (_lock) return _given.GetValueOrDefault(answer);
    }

    public void Dispose()
    {
        _listener.Dispose();
        _closed.TrySetResult();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            lock (_lock) Connections++;
            try
            {
                using StreamReader reader = new(client.GetStream(), Encoding.Latin1);
                while (await ReadRequestAsync(reader) is var (method, key))
                {
                    FakeAnswer answer = Note(method, key);
                    if (answer == FakeAnswer.Close) return;
                    if (answer == FakeAnswer.Silence) await _closed.Task;
                    await _gathered.Task;
                    lock (_lock) _underWay--;
                    await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(TextOf(answer)));
                }
            }
            catch (IOException)
            {
                // The client has gone.
            }
        }
    }

    private static async Task<(string Method, string Key)?> ReadRequestAsync(StreamReader reader)
    {
        if (await reader.ReadLineAsync() is not { } first) return null;
        int length = 0;
        while (await reader.ReadLineAsync() is { Length: > 0 } line)
            if (line.StartsWith("Content-Length: ", StringComparison.Ordinal)) length = int.Parse(line[16..], null);
        if (length > 0) await reader.ReadBlockAsync(new char[length]);
        string[] words = first.Split(' ');
        return (words[0], words[1]["/v1/kv/".Length..]);
    }

    private FakeAnswer Note(string method, string key)
    {
        FakeAnswer answer = _answer(method, key);
        lock (_lock)
        {
            MostUnderWay = Math.Max(MostUnderWay, ++_underWay);
            if (_underWay >= _gather) _gathered.TrySetResult();
            if (answer == FakeAnswer.Close) _underWay--;
            _given[answer] = _given.GetValueOrDefault(answer) + 1;
            if (method == "PUT" && answer == FakeAnswer.Done) _puts[key] = _puts.GetValueOrDefault(key) + 1;
        }

        return answer;
    }

    private static string TextOf(FakeAnswer answer) => answer switch
    {
        FakeAnswer.NotFound => Problem("404 Not Found", "key-not-found", ""),
        FakeAnswer.Overloaded => Problem("429 Too Many Requests", "overloaded", ",\"outcome\":\"not-applied\""),
        FakeAnswer.OutcomeUnknown => Problem("504 Gateway Timeout", "outcome-unknown", ",\"outcome\":\"unknown\""),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    };

    private static string Problem(string status, string code, string outcome)
    {
        string body = $"{{\"code\":\"{code}\"{outcome}}}";
        return $"HTTP/1.1 {status}\r\nContent-Length: {body.Length}\r\n\r\n{body}";
    }
}
