using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>The node crashes in the middle of a disk operation; unwinds out of the pump that ran it.</summary>
internal sealed class SimulatedCrashException(string where) : Exception("simulated crash at " + where);

/// <summary>
/// A directory on a disk that keeps only what was synced. Every write is visible at once and durable only after Sync; at a
/// power cut each unsynced sector is kept, lost or torn by chance, and of the unsynced directory operations a prefix survives.
/// </summary>
internal sealed class SimDisk(SplitMix random) : IDisk
{
    public const int SectorBytes = 512;

    /// <summary>More writes than two batches of the log take, with zeros ahead and a new segment's header.</summary>
    private const int RecentWrites = 8;

    private readonly List<(string? From, string? To, SimFile? File)> _unsyncedOperations = [];
    private readonly Queue<(SimFile File, long Start, long End)> _recent = [];
    private readonly SortedDictionary<string, SimFile> _durableNames = new(StringComparer.Ordinal);
    private SortedDictionary<string, SimFile> _names = new(StringComparer.Ordinal);

    /// <summary>Disk operations until the node crashes in the middle of one; negative is never.</summary>
    public int CrashAfterOperations { get; set; } = -1;

    /// <summary>
    /// The next sync fails, as Linux does it: the pages stay readable but count as clean, so that a later sync succeeds and writes nothing.
    /// </summary>
    public bool FailNextSync { get; set; }

    public IReadOnlyList<string> List() => [.. _names.Keys];

    /// <summary>Only told, never enforced: what the node does about it is what is tested.</summary>
    public long FreeBytes { get; set; } = long.MaxValue;

    public IDiskFile Open(string name) => _names.TryGetValue(name, out SimFile? file) ? new Handle(this, name, file) : throw new DiskFailedException($"{name}: no such file");

    public IDiskFile Create(string name)
    {
        if (_names.ContainsKey(name)) throw new DiskFailedException($"{name}: exists");
        SimFile file = new();
        Operate(null, name, file);
        return new Handle(this, name, file);
    }

    public void Delete(string name) => Operate(name, null, null);

    public void Rename(string from, string to)
    {
        if (_names.ContainsKey(to)) throw new DiskFailedException($"{to}: exists");
        Operate(from, to, _names[from]);
    }

    public void SyncDirectory()
    {
        MayCrash("directory sync");
        foreach (var operation in _unsyncedOperations) Carry(_durableNames, operation);
        _unsyncedOperations.Clear();
    }

    /// <summary>The power fails: the disk keeps what it kept.</summary>
    public void CutPower()
    {
        int surviving = (int)random.Below(_unsyncedOperations.Count + 1);
        for (int i = 0; i < surviving; i++) Carry(_durableNames, _unsyncedOperations[i]);
        _unsyncedOperations.Clear();
        foreach (SimFile file in _durableNames.Values) file.CutPower(random);
        _names = new SortedDictionary<string, SimFile>(_durableNames, StringComparer.Ordinal);
    }

    /// <summary>
    /// A bit flips in what was written and synced long ago: the last batch of a log cannot be told from a torn one (design §7), nor the one before it when the
    /// last is torn. Says where, or null if by chance there is nothing old enough.
    /// </summary>
    public (string Name, long Offset)? TryRot(SplitMix chance)
    {
        string[] settled = [.. _names.Where(file => _durableNames.GetValueOrDefault(file.Key) == file.Value && file.Value.Length > 0).Select(file => file.Key)];
        bool wantsContent = chance.Chance(800_000);
        for (int attempt = 0; settled.Length > 0 && attempt < 1_000; attempt++)
        {
            string name = settled[(int)chance.Below(settled.Length)];
            SimFile file = _names[name];
            long offset = chance.Below(file.Length);
            if (_recent.Any(write => write.File == file && offset >= write.Start && offset < write.End)) continue;
            if (file.TryFlip(offset, 1 << (int)chance.Below(8), wantsContent)) return (name, offset);
        }

        return null;
    }

    private void Operate(string? from, string? to, SimFile? file)
    {
        MayCrash("directory change");
        Carry(_names, (from, to, file));
        _unsyncedOperations.Add((from, to, file));
    }

    private static void Carry(SortedDictionary<string, SimFile> names, (string? From, string? To, SimFile? File) operation)
    {
        if (operation.From is not null) names.Remove(operation.From);
        if (operation.To is not null) names[operation.To] = operation.File!;
    }

    private void MayCrash(string where)
    {
        if (CrashAfterOperations < 0) return;
        if (CrashAfterOperations-- == 0) throw new SimulatedCrashException(where);
    }

    private sealed class Handle(SimDisk disk, string name, SimFile file) : IDiskFile
    {
        public string Name => name;

        public long Length => file.Length;

        public int Read(long offset, Span<byte> into) => file.Read(offset, into);

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            disk.MayCrash("write of " + name);
            disk._recent.Enqueue((file, offset, offset + bytes.Length));
            if (disk._recent.Count > RecentWrites) disk._recent.Dequeue();
            file.Write(offset, bytes);
        }

        public void Sync()
        {
            disk.MayCrash("sync of " + name);
            if (disk.FailNextSync)
            {
                disk.FailNextSync = false;
                file.ForgetDirty();
                throw new DiskFailedException($"{name}: sync: I/O error");
            }

            file.Sync();
            disk.MayCrash("return from the sync of " + name);
        }

        public void Dispose() { }
    }
}

/// <summary>A file's bytes as they read now, and as a power cut would leave them.</summary>
internal sealed class SimFile
{
    private readonly SortedSet<long> _dirty = [];
    private byte[] _current = [];
    private byte[] _durable = [];
    private int _durableLength;

    public int Length { get; private set; }

    public int Read(long offset, Span<byte> into)
    {
        if (offset >= Length) return 0;
        int count = (int)Math.Min(into.Length, Length - offset);
        _current.AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        int end = (int)offset + bytes.Length;
        Grow(ref _current, end);
        bytes.CopyTo(_current.AsSpan((int)offset));
        Length = Math.Max(Length, end);
        for (long sector = offset / SimDisk.SectorBytes; sector * SimDisk.SectorBytes < end; sector++) _dirty.Add(sector);
    }

    public void Sync()
    {
        Grow(ref _durable, Length);
        foreach (long sector in _dirty) Keep(sector, SimDisk.SectorBytes);
        _durableLength = Length;
        _dirty.Clear();
    }

    /// <summary>What was written since the last sync reads back as written, but no sync will carry it to the disk any more.</summary>
    public void ForgetDirty() => _dirty.Clear();

    /// <summary>Flips bits of a byte, as it reads and on the disk. False if it is not synced, or, where content is wanted, zero.</summary>
    public bool TryFlip(long offset, int bits, bool wantsContent)
    {
        if (offset >= _durableLength || _dirty.Contains(offset / SimDisk.SectorBytes) || _current[offset] != _durable[offset]) return false;
        if (wantsContent && _current[offset] == 0) return false;
        _current[offset] ^= (byte)bits;
        _durable[offset] ^= (byte)bits;
        return true;
    }

    public void CutPower(SplitMix random)
    {
        foreach (long sector in _dirty)
        {
            int kept = random.Below(3) switch
            {
                0 => SimDisk.SectorBytes,
                1 => 0,
                _ => (int)random.Below(SimDisk.SectorBytes),
            };
            if (kept == 0) continue;
            Grow(ref _durable, Length);
            Keep(sector, kept);
            _durableLength = Math.Max(_durableLength, (int)Math.Min(Length, sector * SimDisk.SectorBytes + kept));
        }

        _dirty.Clear();
        Length = _durableLength;
        _current = _durable.AsSpan(0, _durableLength).ToArray();
    }

    private void Keep(long sector, int bytes)
    {
        int offset = (int)(sector * SimDisk.SectorBytes);
        int count = Math.Min(bytes, Length - offset);
        if (count > 0) _current.AsSpan(offset, count).CopyTo(_durable.AsSpan(offset));
    }

    private static void Grow(ref byte[] bytes, int length)
    {
        if (length > bytes.Length) Array.Resize(ref bytes, Math.Max(length, bytes.Length * 2));
    }
}
