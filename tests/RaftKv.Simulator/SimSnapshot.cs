using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Simulator;

/// <summary>A store's flushed rows as three files: two of rows, and an empty one, as an engine has them too.</summary>
internal sealed class SimCheckpoint : ICheckpoint
{
    private readonly SortedDictionary<string, byte[]> _files = new(StringComparer.Ordinal);

    public SimCheckpoint(SortedRows rows)
    {
        _files.Add("empty", []);
        _files.Add("rows-1", Encode(rows, 0, rows.Count / 2));
        _files.Add("rows-2", Encode(rows, rows.Count / 2, rows.Count));
    }

    public IReadOnlyList<CheckpointFile> Files => [.. _files.Select(file => new CheckpointFile(file.Key, file.Value.Length))];

    public int Read(CheckpointFile file, long offset, Span<byte> into)
    {
        ReadOnlySpan<byte> rest = _files[file.Name].AsSpan((int)offset);
        int count = Math.Min(rest.Length, into.Length);
        rest[..count].CopyTo(into);
        return count;
    }

    public IEnumerable<long> Verify() => [];

    public void Dispose() => _files.Clear();

    private static byte[] Encode(SortedRows rows, int from, int to)
    {
        ByteWriter writer = new();
        writer.U32((uint)(to - from));
        for (int i = from; i < to; i++)
        {
            writer.Block(rows.KeyAt(i));
            writer.Block(rows.ValueAt(i));
        }

        return writer.ToArray();
    }
}

/// <summary>The files of a checkpoint as they come in.</summary>
internal sealed class SimStagedStore(SimStore store) : IStagedStore
{
    private readonly SortedDictionary<string, ByteWriter> _files = new(StringComparer.Ordinal);

    public void Write(CheckpointFile file, long offset, ReadOnlySpan<byte> bytes)
    {
        if (!_files.TryGetValue(file.Name, out ByteWriter? writer)) _files.Add(file.Name, writer = new ByteWriter());
        if (writer.Length != offset) throw new StoreFailedException($"{file.Name}: a hole at {writer.Length}");
        writer.Raw(bytes);
    }

    public void Finish()
    {
        SortedRows rows = new();
        foreach (ByteWriter file in _files.Values)
        {
            if (file.Length == 0) continue;
            ByteReader reader = new(file.ToArray());
            for (uint left = reader.U32(); left > 0; left--) rows.Put(reader.Block().ToArray(), reader.Block().ToArray());
            reader.ExpectEnd();
        }

        store.Fill(rows);
    }

    /// <summary>Rot comes after the files were made, if it does.</summary>
    public IEnumerable<long> Verify() => [];

    public void Dispose() { }
}
