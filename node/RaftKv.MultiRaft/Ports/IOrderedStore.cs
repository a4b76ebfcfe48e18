namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// One shard replica's ordered byte-key store: RocksDB in a node, a sorted map in the simulator. Keys are ordered by
/// unsigned byte comparison. It has no write-ahead log: the Raft log is the write-ahead log, so what was written since
/// the last flush is lost in a crash, always as a whole suffix of batches, never a hole.
/// </summary>
/// <remarks>
/// Writes come from one thread at a time (the Applier); reads may come from any thread beside them. Every method throws
/// <see cref="StoreFailedException"/> when the engine reports an error, which stops the process; a <see cref="StoreDamagedException"/> among them stops the replica.
/// </remarks>
public interface IOrderedStore : IDisposable
{
    /// <summary>The newest value of <paramref name="key"/>, or null when there is none.</summary>
    byte[]? Get(ReadOnlySpan<byte> key);

    /// <summary>The value of <paramref name="key"/> as a crash right now would leave it: from what was flushed only.</summary>
    byte[]? GetPersisted(ReadOnlySpan<byte> key);

    /// <summary>
    /// A cursor over a consistent view as of this call, restricted to keys below <paramref name="end"/> (empty: no
    /// bound). It is positioned nowhere until <see cref="IOrderedCursor.Seek"/>. Close it before the store.
    /// </summary>
    IOrderedCursor OpenCursor(ReadOnlySpan<byte> end = default);

    /// <summary>Applies the whole batch atomically: every later read sees all of it, a crash keeps all or nothing.</summary>
    void Write(WriteBatch batch);

    /// <summary>Makes everything written so far durable. Afterwards <see cref="GetPersisted"/> equals <see cref="Get"/>.</summary>
    void Flush();

    /// <summary>Begins to make durable what was written so far, and does not wait for it. A failure shows in <see cref="ThrowIfFailed"/>.</summary>
    void BeginFlush();

    /// <summary>The flushed state as files; what is not flushed yet is not in it. May be called beside writes.</summary>
    ICheckpoint CreateCheckpoint();

    /// <summary>Throws when a background flush or compaction has failed, other than for a passing want of room, since the store was opened.</summary>
    void ThrowIfFailed();

    /// <summary>What it takes, for people and placement; cheap, and without a scan.</summary>
    StoreSize Size { get; }
}

/// <summary>What a store takes, in bytes as stored: compressed where the engine compresses.</summary>
/// <param name="FileBytes">Of its files of rows, those included that are replaced already and still being read.</param>
/// <param name="LiveBytes">About how much of that is rows that no newer row replaces.</param>
/// <param name="MemoryBytes">What keeps the rows that are in no file yet; an engine takes it in steps.</param>
/// <param name="Rows">About how many there are.</param>
public readonly record struct StoreSize(long FileBytes, long LiveBytes, long MemoryBytes, long Rows)
{
    /// <summary>Logical size, about.</summary>
    public long DataBytes => LiveBytes + MemoryBytes;

    public static StoreSize operator +(StoreSize left, StoreSize right) =>
        new(left.FileBytes + right.FileBytes, left.LiveBytes + right.LiveBytes, left.MemoryBytes + right.MemoryBytes, left.Rows + right.Rows);
}

/// <summary>A forward cursor over an ordered store; owned by one thread. Spans are valid until the next call.</summary>
public interface IOrderedCursor : IDisposable
{
    /// <summary>Moves to the first key at or above <paramref name="key"/>.</summary>
    void Seek(ReadOnlySpan<byte> key);

    /// <summary>Whether the cursor stands on a row. Throws <see cref="StoreFailedException"/> when it stopped because of an error.</summary>
    bool IsValid { get; }

    ReadOnlySpan<byte> Key { get; }

    ReadOnlySpan<byte> Value { get; }

    void Next();
}

/// <summary>The store engine reported an error: <see cref="Exception.Message"/> carries its text and the store's path.</summary>
public class StoreFailedException : Exception
{
    public StoreFailedException(string message) : base(message) { }

    public StoreFailedException(string message, Exception? inner) : base(message, inner) { }
}

/// <summary>What the store holds is not what was written to it, or cannot be read. Its replica stops; a write that failed is another matter, and ends the process (design §3.5).</summary>
public sealed class StoreDamagedException : StoreFailedException
{
    public StoreDamagedException(string message, Exception? inner = null) : base(message, inner) { }
}
