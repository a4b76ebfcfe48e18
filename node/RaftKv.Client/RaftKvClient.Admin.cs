using System.Globalization;
using System.Text.Json;

namespace RaftKv.Client;

/// <content>Requests to the cluster itself.</content>
public sealed partial class RaftKvClient
{
    /// <summary>
    /// Hands a shard's leadership to a node, or (null) to whichever takes over soonest. With a node named it is asked again when an attempt was lost:
    /// whoever leads already stays leader.
    /// </summary>
    public async Task<TransferResult> TransferLeaderAsync(ulong shard, string? to, CancellationToken cancellation = default)
    {
        string target = string.Create(CultureInfo.InvariantCulture, $"v1/admin/shards/{shard}/transfer-leader");
        byte[] document = JsonSerializer.SerializeToUtf8Bytes(new TransferRequest(to), ClientJson.Default.TransferRequest);
        Run run = await RunAsync(to is null ? RequestKind.Write : RequestKind.KeyedWrite, Request, cancellation);
        if (run.Outcome != RequestOutcome.Applied) return new TransferResult(run.Outcome, null, 0, run.Last.Error);
        return Read(run.Last, ClientJson.Default.TransferDocument) is { Leader: { } leader } transferred
            ? new TransferResult(run.Outcome, leader, transferred.Term, null)
            : new TransferResult(RequestOutcome.Unknown, null, 0, NotRaftKv(run.Last));

        HttpRequestMessage Request() => new(HttpMethod.Post, target) { Content = new WriteContent(document) { Headers = { ContentType = s_json } } };
    }
}
