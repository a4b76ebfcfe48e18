using System.Globalization;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Options;
using RaftKv.Raft;

namespace RaftKv.Node.Http;

/// <summary>POST /v1/admin/shards/{id}/transfer-leader: hands a shard's leadership to the node named, or to the one that takes over soonest. Any node takes it.</summary>
internal sealed class TransferEndpoint(Door door, BodyReader bodies, ShardMap map, IReadOnlyList<ClusterMember> members)
{
    private const string Before = "/v1/admin/shards/";
    private const string Behind = "/transfer-leader";

    public static bool IsFor(string path) => path.StartsWith(Before, StringComparison.Ordinal) && path.EndsWith(Behind, StringComparison.Ordinal) && path.Length > Before.Length + Behind.Length;

    /// <summary>Throws <see cref="ApiException"/> for what is refused before the leader is asked.</summary>
    public async Task HandleAsync(HttpContext http, RequestTarget target)
    {
        if (!HttpMethods.IsPost(http.Request.Method)) throw new ApiException(ErrorCode.MethodNotAllowed, $"{http.Request.Method} is not POST") { Allow = "POST" };
        target.Parameters([]);
        ShardDescription shard = ShardOf(target.Path[Before.Length..^Behind.Length]);
        ApiResponse.SetShard(http, shard);
        long deadline = Door.DeadlineIn(KvParameters.ReadTimeoutMillis(http.Request.Headers, door.Limits));
        ReadOnlyMemory<byte> body = await bodies.ReadDocumentAsync(http.Request, deadline);
        string? to = body.IsEmpty ? null : RequestJson.Parse(body.Span, RequestJson.Default.TransferRequestJson).To;

        KvResponse answer = await door.CallAsync(KvRequest.TransferTo(to is null ? default : NodeOf(to)).Encode(), KvOperation.Transfer, shard.Range.Start, deadline);
        ApiResponse.SetPosition(http, answer, door.NodeName, map, shard.Range.Start);
        if (answer.Error is { } error) await ApiResponse.WriteProblemAsync(http, error, answer.Detail, answer.Exceeded?.Limit, answer.Exceeded?.Actual);
        else await ApiResponse.WriteJsonAsync(http, new TransferJson(shard.Id, NameOf(answer.LeaderHint), answer.Term.Value), ApiJson.Readable.TransferJson);
    }

    private ShardDescription ShardOf(string text)
    {
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id)) throw new ApiException(ErrorCode.BadArgument, $"'{text}' is not the number of a shard");
        return map.ById(id) ?? throw new ApiException(ErrorCode.NoSuchShard, $"there is no shard {id}");
    }

    private NodeId NodeOf(string name) => members.Any(member => member.Name == name)
        ? new NodeId(NodeIdentity.IdOf(name))
        : throw new ApiException(ErrorCode.NoSuchNode, $"there is no node '{name}'; there are {string.Join(", ", members.Select(member => member.Name))}");

    private string NameOf(NodeId node) => members.Select(member => member.Name).FirstOrDefault(name => NodeIdentity.IdOf(name) == node.Value) ?? node.ToString();
}
