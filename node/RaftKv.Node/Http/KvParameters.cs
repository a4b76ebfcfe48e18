using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>What a call on one key says beside its body: the key, conditions, consistency, deadline. Every complaint names its parameter.</summary>
internal static class KvParameters
{
    /// <summary>Of lists, and the beginning of each key's; a key may also be a parameter.</summary>
    public const string Path = "/v1/kv";
    public const string Key64 = "key64";
    private static readonly string[] s_readParameters = [Key64, "consistency", "revision"];
    private static readonly string[] s_putParameters = [Key64, "ttl"];
    private static readonly string[] s_deleteParameters = [Key64];

    /// <summary>Whether a path is <see cref="Path"/> or one below it.</summary>
    public static bool IsAt(string path) => path.StartsWith(Path, StringComparison.Ordinal) && (path.Length == Path.Length || path[Path.Length] == '/');

    /// <summary>
    /// The request that target and headers make of a key, without a put's value. <paramref name="nowUnixMillis"/> is the wall clock: a UUIDv7
    /// idempotency key from the future is refused, for its window would never pass. Throws <see cref="ApiException"/>.
    /// </summary>
    public static KvRequest ReadRequest(byte[] key, in RequestTarget target, IHeaderDictionary headers, KvOperation operation, Limits limits, long nowUnixMillis)
    {
        IReadOnlyDictionary<string, string> parameters = ReadQuery(target, operation);
        if (operation == KvOperation.Get) return new KvRequest(operation, key, Revision: ReadRevision(parameters), Consistency: ReadConsistency(parameters));
        var (condition, revision) = ReadCondition(headers, operation);
        byte[] idempotencyKey = ReadIdempotencyKey(headers, limits, nowUnixMillis);
        return new KvRequest(operation, key, default, condition, revision, ReadTtlMillis(parameters, limits), idempotencyKey);
    }

    /// <summary>Empty if there is none. Throws <see cref="ApiException"/>.</summary>
    public static byte[] ReadIdempotencyKey(IHeaderDictionary headers, Limits limits, long nowUnixMillis)
    {
        StringValues header = headers["Idempotency-Key"];
        if (header.Count == 0) return [];
        string text = header.ToString();
        if (header.Count > 1) throw new ApiException(ErrorCode.BadIdempotencyKey, $"Idempotency-Key is given {header.Count} times");
        if (text.Length == 0 || text.Length > limits.MaxIdempotencyKeyChars)
            throw new ApiException(ErrorCode.BadIdempotencyKey, $"Idempotency-Key has {text.Length} characters; it has 1 to {limits.MaxIdempotencyKeyChars} printable ASCII characters without spaces", limits.MaxIdempotencyKeyChars, text.Length);
        int odd = text.AsSpan().IndexOfAnyExceptInRange('!', '~');
        if (odd >= 0) throw new ApiException(ErrorCode.BadIdempotencyKey, $"Idempotency-Key has U+{(int)text[odd]:X4} as its character {odd + 1}; it has printable ASCII characters only, without spaces");
        byte[] key = Encoding.ASCII.GetBytes(text);
        if (IdempotencyKey.TimestampMillis(key) is { } timestamp && (long)timestamp > nowUnixMillis + limits.MaxIdempotencyKeyAheadMillis)
            throw new ApiException(ErrorCode.BadIdempotencyKey, $"the time in Idempotency-Key is {(long)timestamp - nowUnixMillis} ms ahead of this node's clock, the limit is {limits.MaxIdempotencyKeyAheadMillis}", limits.MaxIdempotencyKeyAheadMillis, (long)timestamp - nowUnixMillis);
        return key;
    }

    private static ulong ReadTtlMillis(IReadOnlyDictionary<string, string> parameters, Limits limits)
    {
        if (!parameters.TryGetValue("ttl", out string? text)) return 0;
        return TryReadNumber(text, limits.MaxTtlSeconds, out long seconds) ? (ulong)seconds * 1000 : throw NotUpTo(limits.MaxTtlSeconds, seconds, ErrorCode.BadTtl, $"ttl '{text}' is not a whole number of seconds");
    }

    /// <summary>Whether it is a number from 1 to <paramref name="most"/>; <paramref name="number"/> is 0 if it is none at all.</summary>
    public static bool TryReadNumber(string? text, long most, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 1 && number <= most;

    /// <summary>With limit and actual value if it is above.</summary>
    /// <param name="why">What it is not, without its range.</param>
    public static ApiException NotUpTo(long most, long number, ErrorCode error, string why) =>
        number > most ? new ApiException(error, $"{why} from 1 to {most}", most, number) : new ApiException(error, $"{why} from 1 to {most}");

    /// <summary>Throws <see cref="ApiException"/>. A key in the path is read whatever else is wrong.</summary>
    public static byte[] ReadKey(in RequestTarget target, KvOperation operation, Limits limits)
    {
        byte[] key;
        if (IsKeyInPath(target)) key = RequestTarget.DecodePercent(target.Path.AsSpan(Path.Length + 1));
        else if (ReadQuery(target, operation).TryGetValue(Key64, out string? encoded)) key = RequestTarget.DecodeBase64Url(encoded);
        else throw new ApiException(ErrorCode.KeyEmpty, $"the key stands behind {Path}/ or in ?{Key64}=");
        if (key.Length == 0) throw new ApiException(ErrorCode.KeyEmpty, "the key is empty");
        if (key.Length > limits.MaxKeyBytes) throw new ApiException(ErrorCode.KeyTooLong, $"the key has {key.Length} bytes, the limit is {limits.MaxKeyBytes}", limits.MaxKeyBytes, key.Length);
        return key;
    }

    private static (KvCondition Condition, ulong Revision) ReadCondition(IHeaderDictionary headers, KvOperation operation)
    {
        StringValues match = headers.IfMatch;
        StringValues noneMatch = headers.IfNoneMatch;
        if (match.Count > 0 && noneMatch.Count > 0) throw new ApiException(ErrorCode.BadCondition, "If-Match and If-None-Match exclude each other");
        if (match.Count > 0)
            return (KvCondition.RevisionIs, TryReadETag(match) ?? throw new ApiException(ErrorCode.BadCondition, $"If-Match: {match} is not a revision in quotes, as in \"17\""));
        if (noneMatch.Count == 0) return (KvCondition.None, 0);
        if (operation != KvOperation.Put) throw new ApiException(ErrorCode.BadCondition, "DELETE knows If-Match only");
        return noneMatch == "*" ? (KvCondition.Absent, 0UL) : throw new ApiException(ErrorCode.BadCondition, $"If-None-Match: {noneMatch} is not *");
    }

    /// <summary>The revision that the client has already, 0 if it says none. Throws <see cref="ApiException"/>.</summary>
    public static ulong ReadKnownRevision(IHeaderDictionary headers)
    {
        if (headers.IfMatch.Count > 0) throw new ApiException(ErrorCode.BadCondition, "a read knows If-None-Match only");
        StringValues known = headers.IfNoneMatch;
        if (known.Count == 0) return 0;
        return TryReadETag(known) ?? throw new ApiException(ErrorCode.BadCondition, $"If-None-Match: {known} is not a revision in quotes, as in \"17\"");
    }

    /// <summary>In ms. Throws <see cref="ApiException"/>.</summary>
    public static int ReadTimeoutMillis(IHeaderDictionary headers, Limits limits)
    {
        StringValues text = headers["RaftKv-Timeout"];
        if (text.Count == 0) return limits.DefaultDeadlineMillis;
        return TryReadNumber(text, limits.MaxDeadlineMillis, out long millis) ? (int)millis : throw NotUpTo(limits.MaxDeadlineMillis, millis, ErrorCode.BadDeadline, $"RaftKv-Timeout: {text} is not a number of ms");
    }

    private static bool IsKeyInPath(in RequestTarget target) => target.Path.Length > Path.Length;

    private static IReadOnlyDictionary<string, string> ReadQuery(in RequestTarget target, KvOperation operation)
    {
        string[] known = operation switch
        {
            KvOperation.Put => s_putParameters,
            KvOperation.Delete => s_deleteParameters,
            _ => s_readParameters,
        };
        IReadOnlyDictionary<string, string> parameters = target.Parameters(known);
        if (IsKeyInPath(target) && parameters.ContainsKey(Key64)) throw new ApiException(ErrorCode.BadArgument, $"the key stands in the path and in {Key64}");
        return parameters;
    }

    /// <summary>What is asked for; the answer says what it was, for a leader without a lease serves by ReadIndex (design §6).</summary>
    private static KvConsistency ReadConsistency(IReadOnlyDictionary<string, string> parameters) => parameters.GetValueOrDefault("consistency", "linearizable") switch
    {
        "linearizable" => KvConsistency.Linearizable,
        "lease" => KvConsistency.Lease,
        "stale" => KvConsistency.Stale,
        var other => throw new ApiException(ErrorCode.BadConsistency, $"consistency '{other}' is none of linearizable, lease, stale"),
    };

    /// <summary>0 when the newest is wanted.</summary>
    private static ulong ReadRevision(IReadOnlyDictionary<string, string> parameters)
    {
        if (!parameters.TryGetValue("revision", out string? text)) return 0;
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong revision) && revision is > 0 and <= long.MaxValue) return revision;
        throw new ApiException(ErrorCode.BadRevision, $"revision '{text}' is not a number from 1 to {long.MaxValue}");
    }

    /// <summary>A revision ≥ 1 in double quotes, or null.</summary>
    private static ulong? TryReadETag(StringValues header)
    {
        string? text = header.Count == 1 ? header[0] : null;
        if (text is null || text.Length < 3 || text[0] != '"' || text[^1] != '"') return null;
        return ulong.TryParse(text.AsSpan(1, text.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out ulong revision) && revision > 0 ? revision : null;
    }
}
