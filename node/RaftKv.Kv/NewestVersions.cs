using System.Runtime.InteropServices;

namespace RaftKv.Kv;

/// <summary>
/// The newest versions, without their values, of the keys that were written or read last: so that a write to a key in use need not look for the version that
/// it replaces in every level of the store, where each key's newest version lies beside old ones and no filter tells where. Owned by APPLY.
/// </summary>
/// <remarks>
/// Two generations: when the young one has half the room, it becomes the old one, and what was in the old one is forgotten but for what was used
/// meanwhile. Bounded by <paramref name="maxBytes"/>, an estimate of what keys and tables take; 0 keeps nothing. Allocates only for a key that it does not hold.
/// </remarks>
internal sealed class NewestVersions(long maxBytes)
{
    /// <summary>A dictionary's entry, its share of the buckets and of the room to grow, and a key's header.</summary>
    private const int OverheadBytes = 140;

    private Dictionary<byte[], KeyVersion> _young = new(ByteArrayComparer.Instance);
    private Dictionary<byte[], KeyVersion> _old = new(ByteArrayComparer.Instance);
    private long _youngBytes;

    public bool TryGet(ReadOnlySpan<byte> key, out KeyVersion version)
    {
        if (_young.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out version)) return true;
        if (!_old.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out byte[]? held, out version)) return false;
        Add(held, version);
        return true;
    }

    public void Set(ReadOnlySpan<byte> key, in KeyVersion version)
    {
        ref KeyVersion known = ref CollectionsMarshal.GetValueRefOrNullRef(_young.GetAlternateLookup<ReadOnlySpan<byte>>(), key);
        if (!System.Runtime.CompilerServices.Unsafe.IsNullRef(ref known)) known = version;
        else if (_old.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out byte[]? held, out _)) Add(held, version);
        else Add(key.ToArray(), version);
    }

    private void Add(byte[] key, in KeyVersion version)
    {
        if (maxBytes == 0) return;
        _young.Add(key, version);
        _youngBytes += key.Length + OverheadBytes;
        if (_youngBytes < maxBytes / 2) return;
        _old.Clear();
        (_young, _old) = (_old, _young);
        _youngBytes = 0;
    }
}
