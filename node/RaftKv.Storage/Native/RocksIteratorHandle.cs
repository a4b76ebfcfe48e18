using System.Runtime.InteropServices;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage.Native;

/// <summary>
/// An iterator with what it points into: its read options, the bytes of its upper bound, and the database, on which it
/// holds a reference until it is released.
/// </summary>
internal sealed unsafe class RocksIteratorHandle : SafeHandle
{
    private readonly RocksDatabaseHandle _database;
    private readonly ReadOptions* _options;
    private readonly byte* _end;

    /// <summary>Opens an iterator over the keys below <paramref name="end"/> (empty: all) as of now.</summary>
    public RocksIteratorHandle(RocksDatabaseHandle database, ReadOnlySpan<byte> end) : base(0, ownsHandle: true)
    {
        database.AddUser(); // throws when disposed, before anything is allocated
        _database = database;
        _options = rocksdb_readoptions_create();
        if (!end.IsEmpty)
        {
            _end = (byte*)NativeMemory.Alloc((nuint)end.Length);
            end.CopyTo(new Span<byte>(_end, end.Length));
            rocksdb_readoptions_set_iterate_upper_bound(_options, _end, (nuint)end.Length);
        }
        SetHandle((nint)rocksdb_create_iterator(database.Pointer, _options));
    }

    public override bool IsInvalid => handle == 0;

    public Iterator* Pointer => (Iterator*)handle;

    protected override bool ReleaseHandle()
    {
        rocksdb_iter_destroy(Pointer);
        rocksdb_readoptions_destroy(_options);
        NativeMemory.Free(_end);
        _database.DangerousRelease();
        return true;
    }
}
