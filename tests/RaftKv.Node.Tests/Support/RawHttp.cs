using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace RaftKv.Node.Tests.Support;

internal sealed record RawResponse(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Code => Json.GetProperty("code").GetString()!;
}

/// <summary>One connection on which requests are written by hand: the target goes out as it is given.</summary>
internal sealed class RawHttp(int port) : IDisposable
{
    private readonly TcpClient _client = new("127.0.0.1", port);

    public static async Task<RawResponse> OnceAsync(int port, string method, string target, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        using RawHttp connection = new(port);
        return await connection.SendAsync(method, target, body, headers);
    }

    public async Task<RawResponse> SendAsync(string method, string target, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        StringBuilder head = new($"{method} {target} HTTP/1.1\r\nHost: test\r\n");
        foreach (var (name, value) in headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        if (body is not null && !headers.Any(header => header.Name == "Transfer-Encoding")) head.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n");
        NetworkStream stream = _client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()));
        if (body is not null) await stream.WriteAsync(body);
        return await ReadResponseAsync(stream, hasBody: method != "HEAD");
    }

    /// <summary>Writes bytes as they are, be they half a request, and reads one response.</summary>
    public async Task<RawResponse> SendRawAsync(string bytes)
    {
        await WriteAsync(bytes);
        return await ReadAsync();
    }

    /// <summary>Writes bytes as they are.</summary>
    public async Task WriteAsync(string bytes) => await _client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(bytes));

    /// <summary>Reads one response.</summary>
    public Task<RawResponse> ReadAsync() => ReadResponseAsync(_client.GetStream(), hasBody: true);

    public void Dispose() => _client.Dispose();

    private static async Task<RawResponse> ReadResponseAsync(NetworkStream stream, bool hasBody)
    {
        using CancellationTokenSource limit = new(Wait.Limit);
        string[] lines = (await ReadUntilAsync(stream, "\r\n\r\n", limit.Token)).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Dictionary<string, string> headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        int status = int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture);
        if (hasBody && headers.ContainsKey("Transfer-Encoding")) return new RawResponse(status, headers, await ReadChunksAsync(stream, limit.Token));
        int length = hasBody && status != 304 && headers.TryGetValue("Content-Length", out string? text) ? int.Parse(text, CultureInfo.InvariantCulture) : 0;
        byte[] body = new byte[length];
        await stream.ReadExactlyAsync(body, limit.Token);
        return new RawResponse(status, headers, body);
    }

    private static async Task<byte[]> ReadChunksAsync(NetworkStream stream, CancellationToken limit)
    {
        List<byte> body = [];
        while (true)
        {
            byte[] chunk = new byte[int.Parse(await ReadUntilAsync(stream, "\r\n", limit), NumberStyles.HexNumber, CultureInfo.InvariantCulture)];
            await stream.ReadExactlyAsync(chunk, limit);
            await ReadUntilAsync(stream, "\r\n", limit);
            if (chunk.Length == 0) return [.. body];
            body.AddRange(chunk);
        }
    }

    /// <summary>What comes before <paramref name="end"/>, which is taken too.</summary>
    private static async Task<string> ReadUntilAsync(NetworkStream stream, string end, CancellationToken limit)
    {
        StringBuilder text = new();
        byte[] one = new byte[1];
        while (text.Length < end.Length || text.ToString(text.Length - end.Length, end.Length) != end)
        {
            await stream.ReadExactlyAsync(one, limit);
            text.Append((char)one[0]);
        }

        return text.ToString(0, text.Length - end.Length);
    }
}
