namespace RaftKv.Contracts;

/// <summary>Where a key lives: the hash of its routing key, which lies in exactly one shard's range (design §2).</summary>
/// <remarks>Fixed for ever: a change would move every key. Hot path: no allocation.</remarks>
public static class KeyHash
{
    /// <summary>XXH64 with seed 0 of the key's routing key.</summary>
    public static ulong Of(ReadOnlySpan<byte> key) => XxHash64.Hash(RoutingKey(key));

    /// <summary>
    /// The bytes between the first <c>{</c> and the next <c>}</c> after it if there are any, else the whole key; so
    /// <c>{tag}a</c> and <c>{tag}b</c> share a shard. Only the first <c>{</c> counts: <c>{}{a}</c> routes by the whole
    /// key, <c>{{a}}</c> by <c>{a</c>. Keys are bytes, not text. The result is a slice of <paramref name="key"/>.
    /// </summary>
    public static ReadOnlySpan<byte> RoutingKey(ReadOnlySpan<byte> key)
    {
        int open = key.IndexOf((byte)'{');
        if (open < 0) return key;
        ReadOnlySpan<byte> afterOpen = key[(open + 1)..];
        int length = afterOpen.IndexOf((byte)'}');
        return length > 0 ? afterOpen[..length] : key;
    }
}
