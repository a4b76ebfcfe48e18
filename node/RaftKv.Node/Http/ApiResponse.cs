using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Telemetry;

namespace RaftKv.Node.Http;

/// <summary>Writes answers: the headers that say where a result stands, JSON documents, and problems.</summary>
internal static class ApiResponse
{
    private const string JsonType = "application/json";
    private const string ProblemType = "application/problem+json";
    private static readonly JsonEncodedText s_key = JsonEncodedText.Encode("key");
    private static readonly JsonEncodedText s_keyBase64 = JsonEncodedText.Encode("keyBase64");
    private static readonly JsonEncodedText s_revision = JsonEncodedText.Encode("revision");
    private static readonly JsonEncodedText s_created = JsonEncodedText.Encode("created");
    private static readonly JsonEncodedText s_version = JsonEncodedText.Encode("version");
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;
    [ThreadStatic]
    private static Utf8JsonWriter? t_json;

    /// <summary>
    /// Who served the request, and at which position (issue 2, "The HTTP API"). Where nobody could, the shard is the one of <paramref name="map"/>.
    /// </summary>
    public static void SetPosition(HttpContext http, KvResponse response, string ownName, ShardMap map, ulong hash)
    {
        IHeaderDictionary headers = http.Response.Headers;
        headers["RaftKv-Node"] = response.Node.Length > 0 ? response.Node : ownName;
        if (response.Index.Value == 0)
        {
            SetShard(http, map.ByHash(hash));
            if (response.Term.Value != 0) headers["RaftKv-Term"] = Text(response.Term.Value);
            return;
        }

        headers["RaftKv-Shard"] = Text(response.Group.Value);
        headers["RaftKv-Epoch"] = response.Epoch.ToString();
        headers["RaftKv-Term"] = Text(response.Term.Value);
        headers["RaftKv-Index"] = Text(response.Index.Value);
        headers["RaftKv-Revision"] = Text(response.Revision);
    }

    /// <summary>Of a request that was not served: the shard it is for, as the map says.</summary>
    public static void SetShard(HttpContext http, ShardDescription shard)
    {
        IHeaderDictionary headers = http.Response.Headers;
        headers["RaftKv-Shard"] = Text(shard.Id);
        headers["RaftKv-Epoch"] = shard.Epoch.ToString();
    }

    public static string ETagOf(ulong revision) => string.Create(CultureInfo.InvariantCulture, $"\"{revision}\"");

    public static async Task WriteJsonAsync<T>(HttpContext http, T document, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        http.Response.StatusCode = status;
        await WriteBytesAsync(http, JsonSerializer.SerializeToUtf8Bytes(document, type), JsonType);
    }

    public static Task WriteProblemAsync(HttpContext http, ApiException problem)
    {
        if (problem.Allow is not null) http.Response.Headers.Allow = problem.Allow;
        return WriteProblemAsync(http, problem.Error, problem.Message, problem.Limit, problem.Actual);
    }

    public static async Task WriteProblemAsync(HttpContext http, ErrorCode error, string detail, long? limit = null, long? actual = null)
    {
        http.Response.StatusCode = error.HttpStatus;
        RequestTelemetry.OnProblem(error);
        if (error.HttpStatus == StatusCodes.Status429TooManyRequests) http.Response.Headers.RetryAfter = "1";
        ProblemJson problem = new(error.Title, error.HttpStatus, detail, error.Code, error.OutcomeText, error.Retryable, limit, actual);
        await WriteBytesAsync(http, JsonSerializer.SerializeToUtf8Bytes(problem, ApiJson.Readable.ProblemJson), ProblemType);
    }

    public static async Task WriteBytesAsync(HttpContext http, ReadOnlyMemory<byte> body, string contentType)
    {
        http.Response.ContentType = contentType;
        http.Response.ContentLength = body.Length;
        if (HttpMethods.IsHead(http.Request.Method)) return;
        await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted);
    }

    /// <summary>
    /// The answer to a put, written without an object, a text or bytes of its own, for this is the hot path. A key is <c>keyBase64</c> when it is no UTF-8:
    /// <code>{"key":"greeting","revision":7,"created":3,"version":2}</code>
    /// </summary>
    public static ValueTask<FlushResult> WritePutAsync(HttpContext http, ReadOnlySpan<byte> key, ulong revision, ulong created, ulong version)
    {
        t_buffer ??= new ArrayBufferWriter<byte>();
        t_json ??= new Utf8JsonWriter(t_buffer, new JsonWriterOptions { Encoder = ApiJson.Readable.Options.Encoder });
        t_buffer.ResetWrittenCount();
        t_json.Reset(t_buffer);
        t_json.WriteStartObject();
        if (Utf8.IsValid(key)) t_json.WriteString(s_key, key);
        else t_json.WriteBase64String(s_keyBase64, key);
        t_json.WriteNumber(s_revision, revision);
        t_json.WriteNumber(s_created, created);
        t_json.WriteNumber(s_version, version);
        t_json.WriteEndObject();
        t_json.Flush();
        http.Response.ContentType = JsonType;
        http.Response.ContentLength = t_buffer.WrittenCount;
        http.Response.BodyWriter.Write(t_buffer.WrittenSpan);
        return http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>The limit that refused a request on one key, and the actual value: for a revision that has not come yet the newest one is the limit.</summary>
    public static (long Limit, long Actual)? ExceededBy(in KvRequest asked, KvResponse result) =>
        result.Error == ErrorCode.BadRevision ? ((long)result.Revision, (long)asked.Revision) : result.Exceeded;

    /// <summary>A key or value as a detail shows it: as text if it is some, else as base64.</summary>
    public static string Show(ReadOnlySpan<byte> bytes) => Utf8.IsValid(bytes) ? $"'{Encoding.UTF8.GetString(bytes)}'" : $"{Convert.ToBase64String(bytes)} (base64)";

    public static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
