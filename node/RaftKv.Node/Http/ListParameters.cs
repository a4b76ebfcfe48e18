using System.Buffers.Text;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>What a list asks for.</summary>
/// <param name="Limit">Of keys; at least 1.</param>
internal sealed record ListParameters(KvListQuery Query, long Limit)
{
    private static readonly string[] s_known = ["prefix", "start", "end", "limit", "cursor", "keysOnly", "countOnly"];

    /// <summary>Throws <see cref="ApiException"/>.</summary>
    public static ListParameters Read(in RequestTarget target, Limits limits, bool isStream)
    {
        Dictionary<string, string> parameters = target.EncodedParameters(s_known);
        bool countOnly = ReadFlag(parameters, "countOnly");
        if (countOnly && (parameters.ContainsKey("limit") || parameters.ContainsKey("cursor"))) throw new ApiException(ErrorCode.BadArgument, "countOnly counts all keys; it knows neither limit nor cursor");
        KvListQuery query = KvListQuery.Of(
            ReadKey(parameters, "prefix", limits), ReadKey(parameters, "start", limits), ReadKey(parameters, "end", limits), ReadCursor(parameters, limits), ReadFlag(parameters, "keysOnly"), countOnly);
        return new ListParameters(query, ReadLimit(parameters, isStream ? long.MaxValue : limits.MaxListKeys));
    }

    /// <summary>Any bytes, percent-encoded as a key in a path is.</summary>
    private static byte[] ReadKey(Dictionary<string, string> parameters, string name, Limits limits)
    {
        byte[] key = RequestTarget.DecodePercent(parameters.GetValueOrDefault(name, ""));
        if (key.Length > limits.MaxKeyBytes) throw new ApiException(ErrorCode.KeyTooLong, $"{name} has {key.Length} bytes, the limit is {limits.MaxKeyBytes}", limits.MaxKeyBytes, key.Length);
        return key;
    }

    private static byte[]? ReadCursor(Dictionary<string, string> parameters, Limits limits)
    {
        if (!parameters.TryGetValue("cursor", out string? text)) return null;
        if (Base64Url.IsValid(text) && Base64Url.DecodeFromChars(text) is { Length: > 0 } key && key.Length <= limits.MaxKeyBytes) return key;
        throw new ApiException(ErrorCode.BadCursor, $"cursor '{text}' is none that an answer gave");
    }

    private static long ReadLimit(Dictionary<string, string> parameters, long most)
    {
        if (!parameters.TryGetValue("limit", out string? text)) return most;
        return KvParameters.TryReadNumber(text, most, out long limit) ? limit : throw KvParameters.NotUpTo(most, limit, ErrorCode.BadCursor, $"limit '{text}' is not a number");
    }

    private static bool ReadFlag(Dictionary<string, string> parameters, string name) => parameters.GetValueOrDefault(name, "false") switch
    {
        "" or "true" => true,
        "false" => false,
        var other => throw new ApiException(ErrorCode.BadArgument, $"{name} '{other}' is neither true nor false"),
    };
}
