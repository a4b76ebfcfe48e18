namespace RaftKv.Raft;

/// <summary>
/// What the core knows of its group's log: the terms of every entry (as runs), and the newest entries themselves.
/// </summary>
/// <remarks>
/// <code>
///  snapshot │ released: on disk only │ cached entries                       │
///  ─────────┼────────────────────────┼──────────────┬───────────┬───────────┤
///  Snapshot │                CacheStart             Durable     Submitted   Last
/// </code>
/// Invariants: Snapshot ≤ Durable ≤ Submitted ≤ Last; every entry above Durable is cached. Durable counts only entries
/// whose persisting has returned and that were not truncated since: truncation lowers Durable, Submitted and the
/// promise of every Ready still being persisted, so that a completion which arrives later than the truncation cannot
/// pass the new entries off as durable (the ABA race that etcd-io/raft documents in its storage-thread design).
/// Owned by its RaftGroup.
/// </remarks>
internal sealed class LogTail
{
    private readonly List<(LogIndex First, Term Term)> _termRuns;
    private readonly Queue<PersistPromise> _persisting = new();
    private Entry[] _entries = new Entry[64];
    private long[] _bytesThrough = new long[64];
    private int _head;
    private int _count;
    private long _bytesBefore;

    public LogTail(RaftStart start)
    {
        SnapshotIndex = start.SnapshotIndex;
        SnapshotTerm = start.SnapshotTerm;
        _termRuns = [.. start.TermRuns];
        Last = Submitted = Durable = start.LastIndex;
        CacheStart = Last.Next;
        Invariant.Holds(SnapshotIndex <= Last);
    }

    /// <summary>The log begins after this index.</summary>
    public LogIndex SnapshotIndex { get; private set; }

    public Term SnapshotTerm { get; private set; }

    public LogIndex Last { get; private set; }

    public Term LastTerm => TermAt(Last)!.Value;

    /// <summary>Everything up to here is on stable storage.</summary>
    public LogIndex Durable { get; private set; }

    /// <summary>Everything up to here was handed out to be persisted.</summary>
    public LogIndex Submitted { get; private set; }

    /// <summary>The first entry held in memory; Last + 1 if there is none.</summary>
    public LogIndex CacheStart { get; private set; }

    public long CachedBytes => _count == 0 ? 0 : _bytesThrough[_head + _count - 1] - _bytesBefore;

    /// <summary>The term of the entry at <paramref name="index"/>, or null outside [SnapshotIndex, Last].</summary>
    public Term? TermAt(LogIndex index)
    {
        if (index == SnapshotIndex) return SnapshotTerm;
        if (index < SnapshotIndex || index > Last) return null;
        return _termRuns[RunOf(index)].Term;
    }

    /// <summary>Forgets the entries up to <paramref name="index"/>, which the log holds: from now on it begins after it.</summary>
    public void CompactTo(LogIndex index)
    {
        Invariant.Holds(index > SnapshotIndex && index <= Last, $"compaction to {index} of ({SnapshotIndex}, {Last}]");
        SnapshotTerm = TermAt(index)!.Value;
        SnapshotIndex = index;
        int behind = index == Last ? _termRuns.Count : RunOf(index.Next);
        _termRuns.RemoveRange(0, behind);
        if (_termRuns.Count > 0) _termRuns[0] = (index.Next, _termRuns[0].Term);
        while (_count > 0 && CacheStart <= index) DropOldestCached();
        CacheStart = LogIndex.Max(CacheStart, index.Next);
        // What is covered is as durable as the snapshot: its commit point is persisted before anything behind it.
        Durable = LogIndex.Max(Durable, index);
        Submitted = LogIndex.Max(Submitted, index);
    }

    /// <summary>Forgets everything: the log is empty and begins after (index, term), which it does not hold.</summary>
    public void ResetTo(LogIndex index, Term term)
    {
        Invariant.Holds(index > SnapshotIndex, $"reset to {index}, the log begins after {SnapshotIndex}");
        _termRuns.Clear();
        Array.Clear(_entries, _head, _count);
        _head = _count = 0;
        _bytesBefore = 0;
        SnapshotIndex = Last = Submitted = Durable = index;
        SnapshotTerm = term;
        CacheStart = index.Next;
        // What is still being written is not part of this log.
        foreach (PersistPromise promise in _persisting) promise.Last = LogIndex.Zero;
    }

    public bool Matches(LogIndex index, Term term) => TermAt(index) == term;

    /// <summary>The largest index ≤ <paramref name="from"/> (and ≤ Last) whose term is ≤ <paramref name="term"/>; SnapshotIndex at least.</summary>
    public LogIndex LastWithTermAtMost(LogIndex from, Term term)
    {
        LogIndex index = LogIndex.Min(from, Last);
        while (index > SnapshotIndex)
        {
            var (first, runTerm) = _termRuns[RunOf(index)];
            if (runTerm <= term) return index;
            index = first.Previous;
        }

        return SnapshotIndex;
    }

    public void Append(in Entry entry)
    {
        Invariant.Holds(entry.Index == Last.Next, $"entry {entry.Index} after {Last}");
        Invariant.Holds(entry.Term >= LastTerm, $"entry of {entry.Term} after {LastTerm}");
        if (_termRuns.Count == 0 || _termRuns[^1].Term != entry.Term) _termRuns.Add((entry.Index, entry.Term));
        MakeRoom();
        long before = _count == 0 ? _bytesBefore : _bytesThrough[_head + _count - 1];
        _entries[_head + _count] = entry;
        _bytesThrough[_head + _count] = before + entry.SizeBytes;
        _count++;
        Last = entry.Index;
    }

    /// <summary>Drops the entry at <paramref name="from"/> and all after it: a new leader's log differs there.</summary>
    public void TruncateFrom(LogIndex from)
    {
        Invariant.Holds(from > SnapshotIndex, $"truncation at {from} reaches the snapshot {SnapshotIndex}");
        Invariant.Holds(from <= Last, $"truncation at {from} beyond {Last}");
        LogIndex last = from.Previous;
        while (_termRuns.Count > 0 && _termRuns[^1].First >= from) _termRuns.RemoveAt(_termRuns.Count - 1);
        if (from <= CacheStart)
        {
            // Nothing cached remains.
            Array.Clear(_entries, _head, _count);
            _head = _count = 0;
            _bytesBefore = 0;
            CacheStart = from;
        }
        else
        {
            int keep = (int)(from.Value - CacheStart.Value);
            Array.Clear(_entries, _head + keep, _count - keep);
            _count = keep;
        }

        Last = last;
        Submitted = LogIndex.Min(Submitted, last);
        Durable = LogIndex.Min(Durable, last);
#if MUTANTS
        if (Mutants.On(Mutant.LatePersistedCompletionTakenForNew)) return;
#endif
        foreach (PersistPromise promise in _persisting) promise.Last = LogIndex.Min(promise.Last, last);
    }

    /// <summary>The entries not yet handed out to be persisted. Afterwards Submitted = Last.</summary>
    public ReadOnlyMemory<Entry> TakeUnsubmitted(ulong readyNumber)
    {
        ReadOnlyMemory<Entry> entries = Cached(Submitted.Next, Last);
        Submitted = Last;
        _persisting.Enqueue(new PersistPromise(readyNumber) { Last = Last });
        return entries;
    }

    /// <summary>
    /// The Ready of that number is on stable storage. Completions come once each and in order; a number that is not the
    /// oldest outstanding one means that the host mixed up groups or lives.
    /// </summary>
    public void OnPersisted(ulong readyNumber)
    {
        Invariant.Holds(_persisting.Count > 0, $"persisted {readyNumber}, but nothing is being persisted");
        PersistPromise promise = _persisting.Dequeue();
        Invariant.Holds(promise.ReadyNumber == readyNumber, $"persisted {readyNumber}, expected {promise.ReadyNumber}");
        Durable = LogIndex.Min(LogIndex.Max(Durable, promise.Last), Last);
    }

    /// <summary>Whether entries from <paramref name="first"/> on are in memory.</summary>
    public bool IsCached(LogIndex first) => first >= CacheStart;

    /// <summary>Cached entries [first, last], cut so that they fit in <paramref name="maxBytes"/> but never to nothing.</summary>
    public ReadOnlyMemory<Entry> Cached(LogIndex first, LogIndex last, long maxBytes = long.MaxValue)
    {
        if (first > last) return default;
        Invariant.Holds(IsCached(first), $"{first} is below the cache start {CacheStart}");
        Invariant.Holds(last <= Last, $"{last} is above the last index {Last}");
        int start = _head + (int)(first.Value - CacheStart.Value);
        int count = (int)(last.Value - first.Value) + 1;
        long before = start == _head ? _bytesBefore : _bytesThrough[start - 1];
        if (_bytesThrough[start + count - 1] - before > maxBytes)
        {
            int fitting = 1;
            while (fitting < count && _bytesThrough[start + fitting] - before <= maxBytes) fitting++;
            count = fitting;
        }

        return _entries.AsMemory(start, count);
    }

    /// <summary>Size of the cached entries in (after, Last], in bytes. What a restart left on disk only does not count.</summary>
    public long BytesAfter(LogIndex after)
    {
        if (after >= Last || _count == 0) return 0;
        int start = _head + (int)(LogIndex.Max(after.Next, CacheStart).Value - CacheStart.Value);
        return _bytesThrough[_head + _count - 1] - (start == _head ? _bytesBefore : _bytesThrough[start - 1]);
    }

    /// <summary>Releases cached entries up to <paramref name="through"/> as long as more than <paramref name="keepBytes"/> are held.</summary>
    public void Release(LogIndex through, long keepBytes)
    {
        through = LogIndex.Min(through, Durable);
        while (_count > 0 && CacheStart <= through && CachedBytes > keepBytes) DropOldestCached();
    }

    public void CheckInvariants()
    {
        Invariant.Holds(SnapshotIndex <= Durable, $"snapshot {SnapshotIndex} durable {Durable}");
        Invariant.Holds(Durable <= Submitted, $"durable {Durable} submitted {Submitted}");
        Invariant.Holds(Submitted <= Last, $"submitted {Submitted} last {Last}");
        Invariant.Holds(CacheStart <= Durable.Next, $"cache start {CacheStart} durable {Durable}");
        Invariant.Holds(CacheStart.Value + (ulong)_count == Last.Value + 1, $"cache start {CacheStart} count {_count} last {Last}");
    }

    private void DropOldestCached()
    {
        _bytesBefore = _bytesThrough[_head];
        _entries[_head] = default;
        _head++;
        _count--;
        CacheStart = CacheStart.Next;
    }

    private int RunOf(LogIndex index)
    {
        int low = 0;
        int high = _termRuns.Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_termRuns[middle].First <= index) low = middle;
            else high = middle - 1;
        }

        return low;
    }

    private void MakeRoom()
    {
        if (_head + _count < _entries.Length) return;
        // Messages and Ready hold slices only until the next call into the group, so moving is safe here. At least as many are added between two moves as are moved.
        bool isHalfEmpty = _count * 2 <= _entries.Length;
        Entry[] entries = isHalfEmpty ? _entries : new Entry[_entries.Length * 2];
        long[] bytesThrough = isHalfEmpty ? _bytesThrough : new long[_entries.Length * 2];
        Array.Copy(_entries, _head, entries, 0, _count);
        Array.Copy(_bytesThrough, _head, bytesThrough, 0, _count);
        if (isHalfEmpty) Array.Clear(entries, _count, entries.Length - _count);
        (_entries, _bytesThrough, _head) = (entries, bytesThrough, 0);
    }

    /// <summary>What a Ready will have made durable once it is persisted, unless truncated before.</summary>
    private sealed class PersistPromise(ulong readyNumber)
    {
        public ulong ReadyNumber { get; } = readyNumber;

        public LogIndex Last { get; set; }
    }
}
