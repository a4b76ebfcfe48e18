using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.Storage.Native;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage;

/// <summary>A cursor over a <see cref="RocksOrderedStore"/>. Owned by one thread, which also disposes it.</summary>
/// <remarks>
/// Hot path: no allocation after opening. It stays usable when its store is disposed, and keeps the database open (and
/// its directory locked) until it is disposed itself. RocksDB aborts the process when asked for the key of an iterator
/// that stands on no row, so every access is checked here first.
/// </remarks>
internal sealed unsafe class RocksCursor : IOrderedCursor
{
    private readonly RocksIteratorHandle _iterator;
    private readonly string _path;
    private bool _isOnRow;
    private string? _failure;

    public RocksCursor(RocksDatabaseHandle database, string path, ReadOnlySpan<byte> end)
    {
        _iterator = new RocksIteratorHandle(database, end);
        _path = path;
    }

    public bool IsValid
    {
        get
        {
            ThrowIfDisposed();
            if (_failure is not null) throw RocksError.Failure(_path, "scan", _failure);
            return _isOnRow;
        }
    }

    public ReadOnlySpan<byte> Key
    {
        get
        {
            RequireRow();
            nuint length;
            byte* key = rocksdb_iter_key(_iterator.Pointer, &length);
            return new ReadOnlySpan<byte>(key, checked((int)length));
        }
    }

    public ReadOnlySpan<byte> Value
    {
        get
        {
            RequireRow();
            nuint length;
            byte* value = rocksdb_iter_value(_iterator.Pointer, &length);
            return new ReadOnlySpan<byte>(value, checked((int)length));
        }
    }

    public void Seek(ReadOnlySpan<byte> key)
    {
        ThrowIfDisposed();
        fixed (byte* start = key)
            rocksdb_iter_seek(_iterator.Pointer, start, (nuint)key.Length);
        OnMoved();
    }

    public void Next()
    {
        RequireRow();
        rocksdb_iter_next(_iterator.Pointer);
        OnMoved();
    }

    public void Dispose()
    {
        _isOnRow = false;
        _iterator.Dispose();
    }

    /// <summary>An iterator that stops says neither end nor error by itself; <see cref="IsValid"/> tells the caller which.</summary>
    private void OnMoved()
    {
        _isOnRow = rocksdb_iter_valid(_iterator.Pointer) != 0;
        _failure = _isOnRow ? null : TakeError();
    }

    private string? TakeError()
    {
        byte* error = null;
        rocksdb_iter_get_error(_iterator.Pointer, &error);
        return RocksError.Take(error);
    }

    private void RequireRow()
    {
        ThrowIfDisposed();
        Invariant.Holds(_isOnRow, $"the cursor over store {_path} stands on no row");
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_iterator.IsClosed, this);
}
