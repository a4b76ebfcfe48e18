using System.Net;
using System.Text.Json;

namespace RaftKv.Node.Tests.Support;

/// <summary>What became of a write, as the answer says (design §3.3).</summary>
internal enum Outcome
{
    Applied,
    NotApplied,
    Unknown,
}

/// <summary>Calls over HttpClient. Raw targets and broken requests go through <see cref="RawHttp"/>.</summary>
internal static class Client
{
    public static HttpClient Http { get; } = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromSeconds(60), ConnectTimeout = TimeSpan.FromSeconds(2) })
    {
        Timeout = TimeSpan.FromSeconds(10),
    };

    public static async Task<Outcome> PutAsync(Uri node, string key, string value, int timeoutMillis = 5_000)
    {
        using HttpRequestMessage request = new(HttpMethod.Put, new Uri(node, "/v1/kv/" + key)) { Content = new StringContent(value) };
        request.Headers.Add("RaftKv-Timeout", timeoutMillis.ToString());
        try
        {
            using HttpResponseMessage response = await Http.SendAsync(request);
            if (response.IsSuccessStatusCode) return Outcome.Applied;
            JsonElement problem = await ReadJsonAsync(response);
            return problem.TryGetProperty("outcome", out JsonElement outcome) && outcome.GetString() == "not-applied" ? Outcome.NotApplied : Outcome.Unknown;
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.ConnectionError)
        {
            return Outcome.NotApplied; // It was never sent.
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or IOException)
        {
            return Outcome.Unknown;
        }
    }

    /// <summary>The value, or null when there is none. Any other answer fails the test.</summary>
    public static async Task<string?> GetAsync(Uri node, string key)
    {
        using HttpResponseMessage response = await Http.GetAsync(new Uri(node, "/v1/kv/" + key));
        string body = await response.Content.ReadAsStringAsync();
        if (response.StatusCode == HttpStatusCode.NotFound && body.Contains("key-not-found", StringComparison.Ordinal)) return null;
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {body}");
        return body;
    }

    public static async Task<JsonElement> GetJsonAsync(Uri node, string path)
    {
        using HttpResponseMessage response = await Http.GetAsync(new Uri(node, path));
        return await ReadJsonAsync(response);
    }

    public static async Task<JsonElement> ReadJsonAsync(HttpResponseMessage response)
    {
        using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        return document.RootElement.Clone();
    }
}
