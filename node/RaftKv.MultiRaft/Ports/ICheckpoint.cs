namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// A store's state as of its last flush, as files that do not change; cheap to make (hard links). Disposing deletes it; the store goes on
/// beside it, and may be gone before it. May be used from another thread than the store's.
/// </summary>
public interface ICheckpoint : IDisposable
{
    IReadOnlyList<CheckpointFile> Files { get; }

    /// <summary>Reads up to <paramref name="into"/>.Length bytes of one file at <paramref name="offset"/>; fewer only at its end.</summary>
    int Read(CheckpointFile file, long offset, Span<byte> into);

    /// <inheritdoc cref="IStagedStore.Verify"/>
    IEnumerable<long> Verify();
}

/// <param name="Name">Of letters, digits, dots, dashes and underscores; no path.</param>
/// <param name="Length">In bytes.</param>
public sealed record CheckpointFile(string Name, long Length);

/// <summary>A store directory that is being filled with a checkpoint's files. Until <see cref="Finish"/> it is nothing that a start would open.</summary>
public interface IStagedStore : IDisposable
{
    /// <summary>Writes the next bytes of a file; offsets of each file grow without holes.</summary>
    void Write(CheckpointFile file, long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes files and directories durable. Afterwards the store can be opened.</summary>
    void Finish();

    /// <summary>
    /// After <see cref="Finish"/>: reads all of it from the disk, so many bytes a step, so that its owner may do something else in between. Throws
    /// <see cref="StoreDamagedException"/> when it is not what was once written.
    /// </summary>
    IEnumerable<long> Verify();
}
