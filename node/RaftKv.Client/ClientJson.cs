using System.Text.Json.Serialization;

namespace RaftKv.Client;

/// <summary>Of the problem document (RFC 9457), what a client acts on.</summary>
internal sealed record ProblemDocument(string? Title, string? Detail, string? Code, string? Outcome);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ProblemDocument))]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(NodeList))]
[JsonSerializable(typeof(ShardList))]
internal sealed partial class ClientJson : JsonSerializerContext;
