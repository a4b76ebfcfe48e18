using RaftKv.MultiRaft.Ports;

namespace RaftKv.Storage;

/// <summary>Reads every row of a store that nobody uses, and with the rows the checksum of each block that holds any or leads to one.</summary>
/// <remarks>Filters have no part in it. A filter that is damaged costs time: RocksDB then reads the block it would have spared.</remarks>
public static class StoreVerification
{
    private const long StepBytes = 4 * 1024 * 1024;

    /// <summary>
    /// Verifies the store in <paramref name="path"/>, so many bytes of rows a step; nothing in its directory changes. Throws <see cref="StoreDamagedException"/> when a row cannot
    /// be read, <see cref="StoreFailedException"/> when this process could not read.
    /// </summary>
    public static IEnumerable<long> Run(RocksEnvironment environment, string path)
    {
        // The node's cache may hold blocks of the same table file as it once came: it is known there by what it says of itself.
        using RocksOrderedStore store = RocksOrderedStore.OpenReadOnly(environment, path, withOwnCache: true);
        using IOrderedCursor cursor = store.OpenCursor();
        long bytes = 0;
        for (cursor.Seek([]); cursor.IsValid; cursor.Next())
        {
            bytes += cursor.Key.Length + cursor.Value.Length;
            if (bytes < StepBytes) continue;
            yield return bytes;
            bytes = 0;
        }
    }
}
