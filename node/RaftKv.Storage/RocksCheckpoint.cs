using RaftKv.MultiRaft.Ports;
using RaftKv.Storage.Native;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage;

/// <summary>
/// A checkpoint of a store, in the directory <c>&lt;store&gt;.checkpoint-&lt;n&gt;</c> beside it: hard links, so that it costs no space until the store
/// moves on. What a crash leaves of it is not a number, so it is no generation; <see cref="DeleteLeftovers"/> clears it away.
/// </summary>
/// <remarks>Owned by one thread, which also disposes it.</remarks>
public sealed unsafe class RocksCheckpoint : ICheckpoint
{
    private const string Infix = ".checkpoint-";
    private const ulong NeverFlush = ulong.MaxValue;
    private static long s_next;
    private readonly RocksEnvironment _environment;
    private readonly string _path;
    private FileStream? _open;

    private RocksCheckpoint(RocksEnvironment environment, string path)
    {
        _environment = environment;
        _path = path;
        Files = [.. new DirectoryInfo(path).GetFiles().OrderBy(file => file.Name, StringComparer.Ordinal).Select(file => new CheckpointFile(file.Name, file.Length))];
    }

    /// <inheritdoc/>
    public IReadOnlyList<CheckpointFile> Files { get; }

    internal static RocksCheckpoint Create(RocksEnvironment environment, RocksDatabaseHandle database, string storePath)
    {
        using RocksDatabaseHandle.UseScope use = database.Use();
        string path = storePath.TrimEnd('/') + Infix + Interlocked.Increment(ref s_next);
        byte* error = null;
        Checkpoint* maker = rocksdb_checkpoint_object_create(database.Pointer, &error);
        RocksError.ThrowIfSet(error, storePath, "checkpoint");
        rocksdb_checkpoint_create(maker, path, NeverFlush, &error);
        rocksdb_checkpoint_object_destroy(maker);
        RocksError.ThrowIfSet(error, storePath, "checkpoint");
        return new RocksCheckpoint(environment, path);
    }

    /// <summary>Deletes the checkpoints that an earlier process left in <paramref name="directory"/>.</summary>
    public static void DeleteLeftovers(string directory)
    {
        foreach (string leftover in LeftoversIn(directory)) Directory.Delete(leftover, recursive: true);
    }

    internal static string[] LeftoversIn(string directory) => Directory.GetDirectories(directory, "*" + Infix + "*");

    /// <inheritdoc/>
    public int Read(CheckpointFile file, long offset, Span<byte> into)
    {
        string path = Path.Combine(_path, file.Name);
        if (_open?.Name != path)
        {
            _open?.Dispose();
            _open = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }

        return RandomAccess.Read(_open.SafeFileHandle, into, offset);
    }

    /// <inheritdoc/>
    public IEnumerable<long> Verify() => StoreVerification.Run(_environment, _path);

    public void Dispose()
    {
        _open?.Dispose();
        if (Directory.Exists(_path)) Directory.Delete(_path, recursive: true);
    }
}
