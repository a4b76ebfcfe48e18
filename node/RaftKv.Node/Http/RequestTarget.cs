using System.Buffers.Text;
using System.Collections.ObjectModel;
using RaftKv.Contracts;

namespace RaftKv.Node.Http;

/// <summary>
/// A request's target as the client wrote it. The server's parser normalises <c>//</c>, <c>..</c> and percent-encoding away, and a
/// key is whatever bytes the client encoded; so keys are read from here.
/// </summary>
internal readonly struct RequestTarget
{
    private RequestTarget(string path, string query)
    {
        Path = path;
        Query = query;
    }

    /// <summary>From the first <c>/</c> to before the <c>?</c>, still percent-encoded.</summary>
    public string Path { get; }

    /// <summary>Behind the <c>?</c>, still percent-encoded.</summary>
    public string Query { get; }

    /// <summary>Takes origin form (<c>/v1/kv/a?x</c>) and absolute form (<c>http://host/v1/kv/a?x</c>).</summary>
    public static RequestTarget Parse(string rawTarget)
    {
        int pathStart = 0;
        if (!rawTarget.StartsWith('/') && rawTarget.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme)
        {
            pathStart = rawTarget.IndexOf('/', scheme + 3);
            if (pathStart < 0) return new RequestTarget("/", "");
        }

        int question = rawTarget.IndexOf('?', pathStart);
        return question < 0 ? new RequestTarget(rawTarget[pathStart..], "") : new RequestTarget(rawTarget[pathStart..question], rawTarget[(question + 1)..]);
    }

    /// <summary>The query's parameters, decoded. Throws <see cref="ApiException"/> for one that is not in <paramref name="known"/> or given twice.</summary>
    public IReadOnlyDictionary<string, string> Parameters(ReadOnlySpan<string> known)
    {
        if (Query.Length == 0) return ReadOnlyDictionary<string, string>.Empty;
        Dictionary<string, string> parameters = EncodedParameters(known);
        foreach (var (name, value) in parameters) parameters[name] = TextOf(value);
        return parameters;
    }

    /// <summary>The same with values as they are, for those that are bytes: see <see cref="DecodePercent"/>.</summary>
    public Dictionary<string, string> EncodedParameters(ReadOnlySpan<string> known)
    {
        Dictionary<string, string> parameters = [];
        foreach (string part in Query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string name = TextOf(equals < 0 ? part : part[..equals]);
            if (!known.Contains(name)) throw new ApiException(ErrorCode.UnknownParameter, $"this call has no parameter '{name}'");
            if (!parameters.TryAdd(name, equals < 0 ? "" : part[(equals + 1)..])) throw new ApiException(ErrorCode.BadArgument, $"parameter '{name}' is given twice");
        }

        return parameters;
    }

    /// <summary>Whether the query has a parameter of this name, which needs no encoding.</summary>
    public bool Has(string name) => Query.Length > 0 && Query.Split('&').Any(part => part == name || part.StartsWith(name + "=", StringComparison.Ordinal));

    /// <summary>Any bytes: <c>%</c> and two hex digits are one byte, every other character is itself. Throws <see cref="ApiException"/>.</summary>
    public static byte[] DecodePercent(ReadOnlySpan<char> encoded)
    {
        byte[] bytes = new byte[encoded.Length];
        int length = 0;
        for (int i = 0; i < encoded.Length; i++)
        {
            char c = encoded[i];
            if (c == '%')
            {
                if (i + 2 >= encoded.Length || !char.IsAsciiHexDigit(encoded[i + 1]) || !char.IsAsciiHexDigit(encoded[i + 2]))
                    throw new ApiException(ErrorCode.BadKeyEncoding, $"'%' at character {i} is not followed by two hex digits");
                bytes[length++] = Convert.FromHexString(encoded.Slice(i + 1, 2))[0];
                i += 2;
            }
            else if (c < 0x80)
            {
                bytes[length++] = (byte)c;
            }
            else
            {
                throw new ApiException(ErrorCode.BadKeyEncoding, $"character {i} is not ASCII; percent-encode its bytes");
            }
        }

        return length == bytes.Length ? bytes : bytes.AsSpan(0, length).ToArray();
    }

    /// <summary>base64url, with or without padding. Throws <see cref="ApiException"/>.</summary>
    public static byte[] DecodeBase64Url(string encoded)
    {
        try
        {
            return Base64Url.DecodeFromChars(encoded);
        }
        catch (FormatException)
        {
            throw new ApiException(ErrorCode.BadKeyEncoding, "key64 is not base64url");
        }
    }

    private static string TextOf(string encoded)
    {
        try
        {
            return new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true).GetString(DecodePercent(encoded));
        }
        catch (Exception exception) when (exception is System.Text.DecoderFallbackException or ApiException)
        {
            throw new ApiException(ErrorCode.BadArgument, "the query cannot be decoded");
        }
    }
}
