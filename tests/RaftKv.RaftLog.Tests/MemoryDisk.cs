using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// A disk that knows what a power cut would leave: per file the synced bytes and the sectors written since; for the directory the
/// synced names and the operations since.
/// </summary>
internal sealed class MemoryDisk : IDisk
{
    public const int SectorBytes = 512;

    private readonly List<(string? From, string? To, MemoryFile? File)> _unsyncedOperations = [];
    private readonly SortedDictionary<string, MemoryFile> _names = new(StringComparer.Ordinal);
    private SortedDictionary<string, MemoryFile> _syncedNames = new(StringComparer.Ordinal);

    /// <summary>Bytes written so far.</summary>
    public int WrittenBytes { get; private set; }

    /// <summary>Called after every operation that changes something, while the caller still waits for it.</summary>
    public Action OnOperation { get; set; } = static () => { };

    /// <summary>Called in the middle of every read of a file, which it names.</summary>
    public Action<string> OnRead { get; set; } = static _ => { };

    /// <summary>
    /// While set, a sync of a file fails as on Linux: it throws, the pages stay readable, and they are clean from then on, so that a
    /// later sync succeeds and writes none of them. Nothing but writing them again makes them durable.
    /// </summary>
    public bool SyncsFail { get; set; }

    public IReadOnlyList<string> List() => [.. _names.Keys];

    /// <inheritdoc/>
    public long FreeBytes { get; set; } = long.MaxValue;

    /// <summary>Files that were opened or made and not closed since.</summary>
    public int OpenFiles { get; private set; }

    /// <summary>Files made so far.</summary>
    public int Created { get; private set; }

    public IDiskFile Open(string name) => _names.TryGetValue(name, out MemoryFile? file) ? new Handle(this, name, file) : throw new DiskFailedException($"{name}: no such file");

    public IDiskFile Create(string name)
    {
        if (_names.ContainsKey(name)) throw new DiskFailedException($"{name}: exists");
        MemoryFile file = new();
        Created++;
        Change(null, name, file);
        return new Handle(this, name, file);
    }

    public void Delete(string name) => Change(name, null, null);

    public void Rename(string from, string to)
    {
        if (_names.ContainsKey(to)) throw new DiskFailedException($"{to}: exists");
        Change(from, to, _names[from]);
    }

    public void SyncDirectory()
    {
        _syncedNames = new(_names, StringComparer.Ordinal);
        _unsyncedOperations.Clear();
        OnOperation();
    }

    /// <summary>The bytes of a file, to look at or to damage.</summary>
    public byte[] BytesOf(string name) => _names[name].Current;

    public void Damage(string name, Func<byte[], byte[]> damage) => _names[name].ReplaceAll(damage(_names[name].Current));

    /// <summary>
    /// What the disk holds after a power cut now: each sector written since its file's last sync was kept, lost or torn, and of the
    /// directory's operations since its last sync a prefix was kept; <paramref name="random"/> chooses.
    /// </summary>
    public MemoryDisk AfterPowerCut(SplitMix random)
    {
        MemoryDisk disk = new();
        SortedDictionary<string, MemoryFile> names = new(_syncedNames, StringComparer.Ordinal);
        foreach (var operation in _unsyncedOperations.Take((int)random.Below(_unsyncedOperations.Count + 1))) Carry(names, operation);
        foreach (var (name, file) in names) disk._names.Add(name, file.AfterPowerCut(random));
        disk._syncedNames = new(disk._names, StringComparer.Ordinal);
        return disk;
    }

    /// <summary>What it holds after the process was killed now: everything, but what was not synced still is not.</summary>
    public MemoryDisk AfterKill()
    {
        MemoryDisk disk = new();
        Dictionary<MemoryFile, MemoryFile> copies = new(ReferenceEqualityComparer.Instance);
        MemoryFile CopyOf(MemoryFile file)
        {
            if (!copies.TryGetValue(file, out MemoryFile? copy)) copies.Add(file, copy = file.Copy());
            return copy;
        }

        foreach (var (name, file) in _names) disk._names.Add(name, CopyOf(file));
        foreach (var (name, file) in _syncedNames) disk._syncedNames.Add(name, CopyOf(file));
        foreach (var (from, to, file) in _unsyncedOperations) disk._unsyncedOperations.Add((from, to, file is null ? null : CopyOf(file)));
        return disk;
    }

    private void Change(string? from, string? to, MemoryFile? file)
    {
        Carry(_names, (from, to, file));
        _unsyncedOperations.Add((from, to, file));
        OnOperation();
    }

    private static void Carry(SortedDictionary<string, MemoryFile> names, (string? From, string? To, MemoryFile? File) operation)
    {
        if (operation.From is not null) names.Remove(operation.From);
        if (operation.To is not null) names[operation.To] = operation.File!;
    }

    private sealed class Handle : IDiskFile
    {
        private readonly MemoryDisk _disk;
        private readonly string _name;
        private readonly MemoryFile _file;
        private bool _isClosed;

        public Handle(MemoryDisk disk, string name, MemoryFile file)
        {
            (_disk, _name, _file) = (disk, name, file);
            disk.OpenFiles++;
        }

        public string Name => _name;

        public long Length => _file.Current.Length;

        public int Read(long offset, Span<byte> into)
        {
            _disk.OnRead(_name);
            if (offset >= _file.Current.Length) return 0;
            ReadOnlySpan<byte> from = _file.Current.AsSpan((int)offset);
            int count = Math.Min(from.Length, into.Length);
            from[..count].CopyTo(into);
            return count;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            _file.Write((int)offset, bytes);
            _disk.WrittenBytes += bytes.Length;
            _disk.OnOperation();
        }

        public void Sync()
        {
            if (_disk.SyncsFail)
            {
                _file.FailSync();
                throw new DiskFailedException($"{_name}: sync failed");
            }

            _file.Sync();
            _disk.OnOperation();
        }

        public void Dispose()
        {
            if (!_isClosed) _disk.OpenFiles--;
            _isClosed = true;
        }
    }

    private sealed class MemoryFile
    {
        private static readonly long[] s_lossesPerMille = [30, 500, 970];

        private readonly SortedSet<int> _unsyncedSectors = [];
        private byte[] _synced = [];

        public byte[] Current { get; private set; } = [];

        public void Write(int offset, ReadOnlySpan<byte> bytes)
        {
            int end = offset + bytes.Length;
            if (end > Current.Length) Current = Grown(Current, end);
            bytes.CopyTo(Current.AsSpan(offset));
            for (int sector = offset / SectorBytes; sector * SectorBytes < end; sector++) _unsyncedSectors.Add(sector);
        }

        public void Sync()
        {
            // What is dirty is written, and the length with it; clean pages that never reached the disk still do not.
            byte[] synced = Grown([.. _synced], Current.Length);
            foreach (int sector in _unsyncedSectors)
            {
                int start = sector * SectorBytes;
                int count = Math.Min(SectorBytes, Current.Length - start);
                Current.AsSpan(start, count).CopyTo(synced.AsSpan(start));
            }

            _synced = synced;
            _unsyncedSectors.Clear();
        }

        /// <summary>Nothing reached the disk, and nothing is dirty any more.</summary>
        public void FailSync() => _unsyncedSectors.Clear();

        public void ReplaceAll(byte[] bytes)
        {
            Current = bytes;
            _synced = [.. bytes];
            _unsyncedSectors.Clear();
        }

        public MemoryFile Copy()
        {
            MemoryFile copy = new() { _synced = [.. _synced], Current = [.. Current] };
            copy._unsyncedSectors.UnionWith(_unsyncedSectors);
            return copy;
        }

        public MemoryFile AfterPowerCut(SplitMix random)
        {
            byte[] left = [.. _synced];
            // Three kinds of cut: mostly kept, anything, mostly lost; else a large write would hardly ever be nearly whole.
            long lossPerMille = s_lossesPerMille[random.Below(s_lossesPerMille.Length)];
            foreach (int sector in _unsyncedSectors)
            {
                int keep = random.Below(1000) >= lossPerMille ? SectorBytes : random.Below(2) == 0 ? 0 : (int)random.Below(SectorBytes);
                int start = sector * SectorBytes;
                int count = Math.Min(keep, Current.Length - start);
                if (count <= 0) continue;
                if (start + count > left.Length) left = Grown(left, start + count);
                Current.AsSpan(start, count).CopyTo(left.AsSpan(start));
            }

            MemoryFile file = new();
            file.ReplaceAll(left);
            return file;
        }

        private static byte[] Grown(byte[] bytes, int length)
        {
            Array.Resize(ref bytes, length);
            return bytes;
        }
    }
}
