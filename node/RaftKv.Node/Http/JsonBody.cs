using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>
/// An answer of many items, written while it is made: what has gathered leaves when it is worth a write, and a slow reader holds up nobody but itself.
/// </summary>
internal sealed class JsonBody : IDisposable
{
    private const int FlushBytes = 32 * Limits.Kibi;
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly HttpContext _http;
    private readonly Utf8JsonWriter _json;

    public JsonBody(HttpContext http, string contentType)
    {
        _http = http;
        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = contentType;
        _json = new Utf8JsonWriter(http.Response.BodyWriter, s_options);
    }

    public Utf8JsonWriter Json => _json;

    /// <summary>Lets what has gathered leave, if it is enough.</summary>
    public ValueTask YieldAsync() => _json.BytesPending + _http.Response.BodyWriter.UnflushedBytes < FlushBytes ? ValueTask.CompletedTask : FlushAsync();

    public async ValueTask FlushAsync()
    {
        _json.Flush();
        await _http.Response.BodyWriter.FlushAsync(_http.RequestAborted);
    }

    public void Dispose() => _json.Dispose();

    /// <summary>The bytes as text under <paramref name="name"/> if they are UTF-8, else under nameBase64.</summary>
    public void Bytes(string name, ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes)) _json.WriteString(name, bytes);
        else _json.WriteBase64String(name + "Base64", bytes);
    }

    /// <summary>Where a result stands: the same members for every item of every answer (issue 2, "The HTTP API").</summary>
    public void Position(KvResponse result, int item)
    {
        if (result.Node.Length > 0) _json.WriteString("node", result.Node);
        _json.WriteNumber("shard", result.Group.Value);
        _json.WriteString("epoch", result.Epoch.ToString());
        if (result.Index.Value == 0) return;
        _json.WriteNumber("term", result.Term.Value);
        _json.WriteNumber("index", result.Index.Value);
        _json.WriteNumber("item", item);
    }

    /// <summary>What became of one put, get or delete, as the call on one key would have said it.</summary>
    public void Result(in KvRequest asked, KvResponse result, int item)
    {
        bool isAbsent = asked.Operation == KvOperation.Get && result.Error is null && !result.Existed;
        ErrorCode? error = isAbsent ? ErrorCode.KeyNotFound : result.Error;
        _json.WriteStartObject();
        Asked(asked);
        _json.WriteNumber("status", error?.HttpStatus ?? StatusCodes.Status200OK);
        Position(result, item);
        if (error is not null)
        {
            if (result.Index.Value != 0) _json.WriteNumber("revision", result.Revision);
            Error(error, isAbsent ? "the key has no value" : result.Detail, ApiResponse.ExceededBy(asked, result));
        }
        else if (asked.Operation == KvOperation.Get) Found(result);
        else Written(asked.Operation, result, result.Revision);
        if (result.IsReplay) _json.WriteBoolean("replayed", true);
        _json.WriteEndObject();
    }

    /// <summary>What one operation of a transaction that was run did or found; it has no outcome of its own.</summary>
    /// <param name="revision">The transaction's, or the shard's last one: also what a delete of nothing says, of which nothing more is recorded.</param>
    public void Step(in KvRequest asked, KvResponse result, int item, ulong revision)
    {
        _json.WriteStartObject();
        Asked(asked);
        Position(result, item);
        if (asked.Operation != KvOperation.Get)
        {
            Written(asked.Operation, result, revision);
        }
        else
        {
            _json.WriteBoolean("found", result.Existed);
            if (result.Existed) Found(result);
            else _json.WriteNumber("revision", 0);
        }

        _json.WriteEndObject();
    }

    /// <summary>One key of a list.</summary>
    public void Row(KvListItem listed, bool keysOnly)
    {
        KvRow row = listed.Row;
        _json.WriteStartObject();
        Bytes("key", row.Key.Span);
        if (!keysOnly) Bytes("value", row.Value.Span);
        Position(listed.At, 0);
        Version(row.Revision, row.Created, row.Version, row.TtlMillis);
        _json.WriteEndObject();
    }

    /// <summary>Ends a document that others follow, one a line.</summary>
    public void EndLine()
    {
        _json.Flush();
        _http.Response.BodyWriter.Write("\n"u8);
        _json.Reset();
    }

    private void Asked(in KvRequest asked)
    {
        _json.WriteString("op", asked.Operation switch { KvOperation.Put => "put", KvOperation.Delete => "delete", _ => "get" });
        Bytes("key", asked.Key.Span);
    }

    private void Found(KvResponse found)
    {
        Bytes("value", found.Value.Span);
        Version(found.Revision, found.Created, found.Version, found.TtlMillis);
    }

    private void Version(ulong revision, ulong created, ulong version, ulong ttlMillis)
    {
        _json.WriteNumber("revision", revision);
        _json.WriteNumber("created", created);
        _json.WriteNumber("version", version);
        if (ttlMillis > 0) _json.WriteNumber("ttl", (ttlMillis + 999) / 1000);
    }

    private void Written(KvOperation operation, KvResponse written, ulong revision)
    {
        if (operation == KvOperation.Delete) _json.WriteBoolean("deleted", written.Existed);
        _json.WriteNumber("revision", revision);
        _json.WriteNumber("prevRevision", written.PrevRevision);
        if (operation == KvOperation.Delete) return;
        _json.WriteNumber("created", written.Created);
        _json.WriteNumber("version", written.Version);
    }

    /// <param name="exceeded">The limit that refused it, and the actual value.</param>
    public void Error(ErrorCode error, string detail, (long Limit, long Actual)? exceeded)
    {
        _json.WritePropertyName("error");
        JsonSerializer.Serialize(_json, new ProblemJson(error.Title, error.HttpStatus, detail, error.Code, error.OutcomeText, error.Retryable, exceeded?.Limit, exceeded?.Actual), ApiJson.Readable.ProblemJson);
    }
}
