using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Native;

namespace RaftKv.Node.Http;

/// <summary>PUT, GET, HEAD and DELETE of one key: request in, <see cref="KvCall"/> through STEP, answer out.</summary>
internal sealed class KvEndpoint(Door door, BodyReader bodies, ShardMap map)
{
    private const string Allowed = "GET, HEAD, PUT, DELETE";

    /// <summary>Throws <see cref="ApiException"/> for what is refused before it is appended anywhere.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask HandleAsync(HttpContext http, RequestTarget target)
    {
        KvOperation operation = OperationOf(http.Request.Method);
        byte[] key = KvParameters.ReadKey(target, operation, door.Limits);
        ulong hash = KeyHash.Of(key);
        try
        {
            KvRequest request = KvParameters.ReadRequest(key, target, http.Request.Headers, operation, door.Limits, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
            long deadline = Door.DeadlineIn(KvParameters.ReadTimeoutMillis(http.Request.Headers, door.Limits));
            if (operation == KvOperation.Get)
            {
                ulong known = KvParameters.ReadKnownRevision(http.Request.Headers);
                long askedAt = BootClock.NowMicros;
                using PendingCall reading = door.Begin(request.Encode(), operation, hash, deadline);
                KvResponse read = await reading.Completion;
                SetConsistency(http.Response.Headers, request.Consistency, read, askedAt);
                await AnswerReadAsync(http, request, read, hash, known);
                return;
            }

            byte[] encoded = operation == KvOperation.Put ? await bodies.ReadPutAsync(http.Request, request, deadline) : request.Encode();
            using PendingCall call = door.Begin(encoded, operation, hash, deadline);
            KvResponse written = await call.Completion;
            await AnswerWriteAsync(http, request, written, hash);
            door.OnAnswered(call, written);
        }
        catch when (!http.Response.HasStarted)
        {
            ApiResponse.SetShard(http, map.ByHash(hash)); // Whoever answers this does not know the key.
            throw;
        }
    }

    private static KvOperation OperationOf(string method)
    {
        if (HttpMethods.IsGet(method) || HttpMethods.IsHead(method)) return KvOperation.Get;
        if (HttpMethods.IsPut(method)) return KvOperation.Put;
        if (HttpMethods.IsDelete(method)) return KvOperation.Delete;
        throw new ApiException(ErrorCode.MethodNotAllowed, $"{method} is not one of {Allowed}") { Allow = Allowed };
    }

    /// <summary>An age counts on until here: from when the node that served the read was asked, which was not before we asked.</summary>
    private static void SetConsistency(IHeaderDictionary headers, KvConsistency consistency, KvResponse read, long askedAt)
    {
        if (read.Index.Value == 0) return;
        headers["RaftKv-Consistency"] = consistency == KvConsistency.Stale ? "stale" : read.IsByLease ? "lease" : "linearizable";
        if (consistency == KvConsistency.Stale)
            headers["RaftKv-Age-Ms"] = read.AgeMicros is { } age ? ApiResponse.Text((ulong)(age + BootClock.NowMicros - askedAt + 999) / 1000) : "unknown";
    }

    private async Task AnswerReadAsync(HttpContext http, KvRequest request, KvResponse read, ulong hash, ulong known)
    {
        ApiResponse.SetPosition(http, read, door.NodeName, map, hash);
        if (read.Error is { } error)
        {
            (long Limit, long Actual)? exceeded = ApiResponse.ExceededBy(request, read);
            await ApiResponse.WriteProblemAsync(http, error, read.Detail, exceeded?.Limit, exceeded?.Actual);
            return;
        }

        IHeaderDictionary headers = http.Response.Headers;
        if (!read.Existed)
        {
            await ApiResponse.WriteProblemAsync(http, ErrorCode.KeyNotFound, "the key has no value");
            return;
        }

        headers.ETag = ApiResponse.ETagOf(read.Revision);
        headers["RaftKv-Created"] = ApiResponse.Text(read.Created);
        headers["RaftKv-Version"] = ApiResponse.Text(read.Version);
        if (read.TtlMillis > 0) headers["RaftKv-Ttl"] = ApiResponse.Text((read.TtlMillis + 999) / 1000);
        if (known == read.Revision) http.Response.StatusCode = StatusCodes.Status304NotModified;
        else await ApiResponse.WriteBytesAsync(http, read.Value, "application/octet-stream");
    }

    private async Task AnswerWriteAsync(HttpContext http, KvRequest request, KvResponse written, ulong hash)
    {
        ApiResponse.SetPosition(http, written, door.NodeName, map, hash);
        IHeaderDictionary headers = http.Response.Headers;
        if (written.IsReplay) headers["Idempotency-Replayed"] = "true";
        if (written.Error is { } error)
        {
            if (error == ErrorCode.PreconditionFailed && written.Existed) headers.ETag = ApiResponse.ETagOf(written.Revision);
            await ApiResponse.WriteProblemAsync(http, error, DetailOf(written), written.Exceeded?.Limit, written.Exceeded?.Actual);
            return;
        }

        headers["RaftKv-Prev-Revision"] = ApiResponse.Text(written.PrevRevision);
        if (request.Operation == KvOperation.Delete)
        {
            await ApiResponse.WriteJsonAsync(http, new DeleteJson(written.Existed, written.Revision), ApiJson.Readable.DeleteJson);
            return;
        }

        headers.ETag = ApiResponse.ETagOf(written.Revision);
        await ApiResponse.WritePutAsync(http, request.Key.Span, written.Revision, written.Created, written.Version);
    }

    private static string DetailOf(KvResponse written) =>
        written.Error == ErrorCode.PreconditionFailed && !written.Existed ? "the key has no value" : written.Detail;
}
