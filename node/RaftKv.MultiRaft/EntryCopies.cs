using System.Buffers;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// Entries on their way from STEP to another pump, in a rented array: the group may truncate or grow its log meanwhile. Whoever has done with them
/// returns them, once; what they carry lives on.
/// </summary>
internal readonly struct EntryCopies
{
    private readonly Entry[] _rented;

    private EntryCopies(Entry[] rented, int length)
    {
        _rented = rented;
        Length = length;
    }

    public int Length { get; }

    public ReadOnlySpan<Entry> Span => _rented.AsSpan(0, Length);

    public static EntryCopies Of(ReadOnlySpan<Entry> entries)
    {
        if (entries.IsEmpty) return default;
        Entry[] rented = ArrayPool<Entry>.Shared.Rent(entries.Length);
        entries.CopyTo(rented);
        return new EntryCopies(rented, entries.Length);
    }

    public void Return()
    {
        if (Length == 0) return;
        _rented.AsSpan(0, Length).Clear(); // or the pool would hold their payloads
        ArrayPool<Entry>.Shared.Return(_rented);
    }
}
