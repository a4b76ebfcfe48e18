using System.Runtime.InteropServices;
using RaftKv.MultiRaft.Ports;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage.Native;

/// <summary>RocksDB's form of a <see cref="WriteBatch"/>, filled anew for each write. Owned by the database handle, used by the store's single writer.</summary>
/// <remarks>Hot path: one native call per row, no allocation once the native buffer has grown.</remarks>
internal sealed unsafe class RocksBatchHandle : SafeHandle
{
    /// <summary>RocksDB never shrinks a batch; a larger one is dropped, lest a thousand stores keep their largest each.</summary>
    private const int MaxRetainedBytes = 256 * 1024;

    public RocksBatchHandle() : base(0, ownsHandle: true) => SetHandle((nint)rocksdb_writebatch_create());

    public override bool IsInvalid => handle == 0;

    public Batch* Pointer => (Batch*)handle;

    /// <summary>Makes this batch hold exactly the rows of <paramref name="source"/>, in order.</summary>
    public void Fill(WriteBatch source)
    {
        rocksdb_writebatch_clear(Pointer);
        foreach (WriteBatch.Row row in source)
        {
            fixed (byte* key = row.Key, value = row.Value)
            {
                if (row.IsPut)
                    rocksdb_writebatch_put(Pointer, key, (nuint)row.Key.Length, value, (nuint)row.Value.Length);
                else
                    rocksdb_writebatch_delete(Pointer, key, (nuint)row.Key.Length);
            }
        }
    }

    /// <summary>Gives back the memory of an unusually large batch.</summary>
    public void Trim(int filledBytes)
    {
        if (filledBytes <= MaxRetainedBytes) return;
        rocksdb_writebatch_destroy(Pointer);
        SetHandle((nint)rocksdb_writebatch_create());
    }

    protected override bool ReleaseHandle()
    {
        rocksdb_writebatch_destroy(Pointer);
        return true;
    }
}
