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

    /// <summary>Makes this batch hold exactly the rows of <paramref name="source"/>; those of equal keys in their order, which is all that matters.</summary>
    /// <remarks>
    /// Rows whose keys begin with the same byte, which are of one kind, come beside each other: where keys only grow, as the change index's do, the memtable
    /// then finds the place of each behind the one before, without a search.
    /// </remarks>
    public void Fill(WriteBatch source)
    {
        rocksdb_writebatch_clear(Pointer);
        ByteSet done = default;
        byte? kind = null;
        for (bool isMore = source.Count > 0; isMore; kind = null)
        {
            isMore = false;
            foreach (WriteBatch.Row row in source)
            {
                byte first = row.Key.IsEmpty ? (byte)0 : row.Key[0];
                if (done.Contains(first)) continue;
                kind ??= first;
                if (first == kind) Add(row);
                else isMore = true;
            }

            done.Add(kind!.Value);
        }
    }

    private void Add(in WriteBatch.Row row)
    {
        fixed (byte* key = row.Key, value = row.Value)
        {
            if (row.IsPut)
                rocksdb_writebatch_put(Pointer, key, (nuint)row.Key.Length, value, (nuint)row.Value.Length);
            else
                rocksdb_writebatch_delete(Pointer, key, (nuint)row.Key.Length);
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

    private struct ByteSet
    {
        private UInt128 _low;
        private UInt128 _high;

        public readonly bool Contains(byte value) => ((value < 128 ? _low : _high) >> (value & 127) & 1) != 0;

        public void Add(byte value)
        {
            if (value < 128) _low |= UInt128.One << value;
            else _high |= UInt128.One << (value & 127);
        }
    }
}
