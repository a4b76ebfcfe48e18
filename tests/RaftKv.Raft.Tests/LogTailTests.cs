namespace RaftKv.Raft.Tests;

/// <summary>LogTail where the log's beginning moves: compaction and snapshots. bugs.md L10, L13, L14, S1, S2.</summary>
public sealed class LogTailTests
{
    private static readonly ulong[] Terms = [1, 1, 2, 2, 2, 4, 4];

    [Fact]
    public void A_cut_log_knows_the_terms_of_what_is_left_and_of_its_beginning()
    {
        for (ulong cut = 1; cut <= 7; cut++)
        {
            LogTail log = Durable(Terms);
            log.CompactTo(new LogIndex(cut));
            for (ulong index = 0; index <= 8; index++)
                Assert.Equal(index < cut || index > 7 ? null : new Term(Terms[index - 1]), log.TermAt(new LogIndex(index)));
            Assert.Equal((new LogIndex(cut), new Term(Terms[cut - 1]), new LogIndex(7), new Term(4)), (log.SnapshotIndex, log.SnapshotTerm, log.Last, log.LastTerm));
            log.CheckInvariants();
        }
    }

    [Fact]
    public void A_cut_log_finds_where_logs_may_agree_but_never_before_its_beginning()
    {
        for (ulong cut = 1; cut <= 7; cut++)
        {
            LogTail log = Durable(Terms);
            log.CompactTo(new LogIndex(cut));
            for (ulong from = 0; from <= 8; from++)
            {
                for (ulong term = 0; term <= 5; term++)
                {
                    ulong expected = Math.Min(from, 7);
                    while (expected > cut && Terms[expected - 1] > term) expected--;
                    Assert.Equal(Math.Max(expected, cut), log.LastWithTermAtMost(new LogIndex(from), new Term(term)).Value);
                }
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(8)]
    public void A_cut_at_the_beginning_or_before_it_or_beyond_the_end_stops_the_process(ulong index)
    {
        LogTail log = Durable(Terms);
        log.CompactTo(new LogIndex(3));
        Assert.Throws<InvariantViolatedException>(() => log.CompactTo(new LogIndex(index)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void A_reset_to_the_beginning_or_before_it_stops_the_process(ulong index)
    {
        LogTail log = Durable(Terms);
        log.CompactTo(new LogIndex(3));
        Assert.Throws<InvariantViolatedException>(() => log.ResetTo(new LogIndex(index), new Term(9)));
    }

    [Fact]
    public void A_truncation_that_reaches_the_beginning_stops_the_process()
    {
        LogTail log = Durable(Terms);
        log.CompactTo(new LogIndex(3));
        Assert.Throws<InvariantViolatedException>(() => log.TruncateFrom(new LogIndex(3)));
        log.TruncateFrom(new LogIndex(4));
        Assert.Equal((new LogIndex(3), new Term(2)), (log.Last, log.LastTerm));
    }

    // S2: the log goes on exactly behind its beginning.
    [Fact]
    public void A_log_that_is_empty_behind_a_cut_or_a_snapshot_goes_on_behind_it()
    {
        LogTail cut = Durable(Terms);
        cut.CompactTo(new LogIndex(7));
        LogTail reset = Durable(Terms);
        reset.ResetTo(new LogIndex(7), new Term(4));
        foreach (LogTail log in new[] { cut, reset })
        {
            Assert.Throws<InvariantViolatedException>(() => log.Append(Some.Entry(7, 4)));
            Assert.Throws<InvariantViolatedException>(() => log.Append(Some.Entry(9, 4)));
            Assert.Throws<InvariantViolatedException>(() => log.Append(Some.Entry(8, 3)));
            log.Append(Some.Entry(8, 4));
            log.Append(Some.Entry(9, 6));
            Assert.Equal((new Term(4), new Term(4), new Term(6)), (log.TermAt(new LogIndex(7)), log.TermAt(new LogIndex(8)), log.TermAt(new LogIndex(9))));
            Assert.Equal(["8/4", "9/6"], Payloads(log.Cached(new LogIndex(8), new LogIndex(9))));
            log.CheckInvariants();
        }
    }

    // L14: what is cached is what the log holds.
    [Fact]
    public void The_cache_loses_what_is_cut_and_keeps_the_rest()
    {
        LogTail log = Durable(Terms);
        long before = log.CachedBytes;
        log.CompactTo(new LogIndex(3));
        Assert.False(log.IsCached(new LogIndex(3)));
        Assert.True(log.IsCached(new LogIndex(4)));
        Assert.Equal(before - (3 * Some.Entry(1, 1).SizeBytes), log.CachedBytes);
        Assert.Equal(log.CachedBytes, log.BytesAfter(new LogIndex(0)));
        Assert.Equal(log.CachedBytes, log.BytesAfter(new LogIndex(3)));
        Assert.Equal(["4/2", "5/2"], Payloads(log.Cached(new LogIndex(4), new LogIndex(5))));
        log.Release(new LogIndex(7), keepBytes: 0);
        log.CompactTo(new LogIndex(5));
        Assert.Equal((0L, 0L, new LogIndex(8)), (log.CachedBytes, log.BytesAfter(new LogIndex(5)), log.CacheStart));
        log.ResetTo(new LogIndex(20), new Term(9));
        Assert.Equal((0L, 0L, new LogIndex(21)), (log.CachedBytes, log.BytesAfter(new LogIndex(20)), log.CacheStart));
        log.Append(Some.Entry(21, 9));
        Assert.Equal(Some.Entry(21, 9).SizeBytes, log.CachedBytes);
    }

    // L10: what was being written when the log was emptied is no part of the new one, also when it reaches as far.
    [Fact]
    public void A_late_completion_says_nothing_of_a_log_that_was_reset()
    {
        LogTail log = New();
        foreach (Entry entry in Some.Entries(1, 1, 1, 1, 1, 1, 1)) log.Append(entry);
        log.TakeUnsubmitted(1);
        log.ResetTo(new LogIndex(3), new Term(2));
        log.Append(Some.Entry(4, 2));
        log.OnPersisted(1);
        Assert.Equal((new LogIndex(3), new LogIndex(3), new LogIndex(4)), (log.Durable, log.Submitted, log.Last));
        Assert.Equal(["4/2"], Payloads(log.TakeUnsubmitted(2)));
        Assert.Equal(3UL, log.Durable.Value);
        log.OnPersisted(2);
        Assert.Equal(4UL, log.Durable.Value);
    }

    [Fact]
    public void A_completion_after_a_cut_counts_what_is_left_of_it()
    {
        LogTail log = New();
        foreach (Entry entry in Some.Entries(1, 1, 1, 1, 1, 1, 1)) log.Append(entry);
        log.TakeUnsubmitted(1);
        log.CompactTo(new LogIndex(3)); // By a snapshot: nothing of it is durable, but its commit point will be before anything behind it.
        Assert.Equal(3UL, log.Durable.Value);
        log.TruncateFrom(new LogIndex(5));
        log.Append(Some.Entry(5, 2));
        log.Append(Some.Entry(6, 2));
        log.OnPersisted(1);
        Assert.Equal(4UL, log.Durable.Value);
        Assert.Equal(["5/2", "6/2"], Payloads(log.TakeUnsubmitted(2)));
        log.OnPersisted(2);
        Assert.Equal(6UL, log.Durable.Value);
    }

    // A snapshot within what was appended in the same turn: what is behind it is still to be written.
    [Fact]
    public void A_cut_beyond_what_was_handed_out_leaves_the_rest_to_be_written()
    {
        LogTail log = New();
        log.Append(Some.Entry(1, 1));
        log.TakeUnsubmitted(1);
        foreach (Entry entry in Some.Entries(2, 1, 1, 1)) log.Append(entry);
        log.CompactTo(new LogIndex(3));
        Assert.Equal(["4/1"], Payloads(log.TakeUnsubmitted(2)));
        log.OnPersisted(1);
        Assert.Equal(3UL, log.Durable.Value);
        log.OnPersisted(2);
        Assert.Equal(4UL, log.Durable.Value);
    }

    // The same against a plain model of log and disk: Durable never says more than the disk holds, and in the end everything.
    [Fact]
    public void Durable_is_never_more_than_the_disk_holds_whatever_the_order_of_cuts_resets_truncations_and_completions()
    {
        for (ulong seed = 1; seed <= 2000; seed++)
        {
            LogTailModel model = new(seed);
            for (int i = 0; i < 60; i++) model.Act();
            model.Finish();
        }
    }

    private static LogTail New() => new(new RaftStart
    {
        HardState = default,
        Configuration = Some.Voters(3),
        SnapshotIndex = default,
        SnapshotTerm = default,
        TermRuns = [],
        LastIndex = default,
        Applied = default,
    });

    /// <summary>Entries of these terms from 1 on, cached and durable.</summary>
    private static LogTail Durable(params ReadOnlySpan<ulong> terms)
    {
        LogTail log = New();
        foreach (Entry entry in Some.Entries(1, terms)) log.Append(entry);
        log.TakeUnsubmitted(1);
        log.OnPersisted(1);
        return log;
    }

    private static IEnumerable<string> Payloads(ReadOnlyMemory<Entry> entries) => [.. entries.ToArray().Select(entry => System.Text.Encoding.UTF8.GetString(entry.Payload.Span))];

    /// <summary>A log as a dictionary, a disk that completes its writes in order, and random calls; compared after each.</summary>
    private sealed class LogTailModel(ulong seed)
    {
        private readonly SplitMix _random = new(seed);
        private readonly LogTail _log = New();
        private readonly SortedDictionary<ulong, ulong> _terms = new() { [0] = 0 };
        private readonly Queue<(ulong Number, (ulong Index, ulong Term, bool Keeps)? Start, (ulong Index, ulong Term)[] Entries)> _writes = new();
        private SortedDictionary<ulong, ulong> _disk = new() { [0] = 0 };
        private (ulong Index, ulong Term, bool Keeps)? _start;
        private ulong _submitted;
        private ulong _number;

        private ulong First => _terms.First().Key;

        private ulong Last => _terms.Last().Key;

        public void Act()
        {
            switch (_random.Below(8))
            {
                case 0 or 1: Append(); break;
                case 2: Truncate(); break;
                case 3: Submit(); break;
                case 4: Complete(); break;
                case 5: Compact(); break;
                case 6: Reset(); break;
                default: _log.Release(new LogIndex(First + (ulong)_random.Below((long)(Last - First) + 1)), _random.Below(300)); break;
            }

            Compare();
        }

        public void Finish()
        {
            Submit();
            while (_writes.Count > 0)
            {
                Complete();
                Compare();
            }

            Assert.Equal(Last, _log.Durable.Value);
            Assert.Equal(_terms, _disk);
        }

        private void Append()
        {
            for (long i = _random.Below(4); i >= 0; i--)
            {
                ulong term = _terms[Last] + (ulong)_random.Below(2);
                _log.Append(Some.Entry(Last + 1, term));
                _terms.Add(Last + 1, term);
            }
        }

        private void Truncate()
        {
            if (Last == First) return;
            ulong from = First + 1 + (ulong)_random.Below((long)(Last - First));
            ulong term = _terms[Last] + 1;
            _log.TruncateFrom(new LogIndex(from));
            while (Last >= from) _terms.Remove(Last);
            _submitted = Math.Min(_submitted, Last);
            _log.Append(Some.Entry(from, term)); // Nobody truncates without putting something there.
            _terms.Add(from, term);
        }

        private void Submit()
        {
            Entry[] entries = [.. _log.TakeUnsubmitted(++_number).ToArray()];
            Assert.Equal(_terms.Where(pair => pair.Key > _submitted).Select(pair => (pair.Key, pair.Value)), entries.Select(entry => (entry.Index.Value, entry.Term.Value)));
            _writes.Enqueue((_number, _start, [.. entries.Select(entry => (entry.Index.Value, entry.Term.Value))]));
            _start = null;
            _submitted = Last;
        }

        private void Complete()
        {
            if (!_writes.TryDequeue(out var write)) return;
            if (write.Start is { } start)
            {
                _disk = start.Keeps ? new(_disk.Where(pair => pair.Key > start.Index).ToDictionary()) : [];
                _disk[start.Index] = start.Term;
            }

            foreach (var (index, term) in write.Entries)
            {
                while (_disk.Count > 0 && _disk.Last().Key >= index) _disk.Remove(_disk.Last().Key);
                _disk.Add(index, term);
            }

            _log.OnPersisted(write.Number);
        }

        /// <summary>As RaftGroup does it for a snapshot; a compaction is the same with less.</summary>
        private void Compact()
        {
            if (Last == First) return;
            ulong index = First + 1 + (ulong)_random.Below((long)(Last - First));
            // A beginning that is not on its way yet is replaced by this one: what it would have dropped is still on the disk, and goes with it.
            bool keeps = index <= _submitted && _start is not { Keeps: false };
            _log.CompactTo(new LogIndex(index));
            ulong term = _terms[index];
            while (First < index) _terms.Remove(First);
            _submitted = Math.Max(_submitted, index);
            _start = (index, term, keeps);
        }

        private void Reset()
        {
            ulong index = First + 1 + (ulong)_random.Below(8);
            ulong term = _terms[Last] + 1;
            _log.ResetTo(new LogIndex(index), new Term(term));
            _terms.Clear();
            _terms.Add(index, term);
            _submitted = index;
            _start = (index, term, false);
        }

        private void Compare()
        {
            _log.CheckInvariants();
            Assert.Equal((First, _terms[First], Last, _terms[Last]), (_log.SnapshotIndex.Value, _log.SnapshotTerm.Value, _log.Last.Value, _log.LastTerm.Value));
            for (ulong index = First == 0 ? 0 : First - 1; index <= Last + 1; index++)
                Assert.Equal(_terms.TryGetValue(index, out ulong term) ? new Term(term) : null, _log.TermAt(new LogIndex(index)));
            foreach (Entry entry in _log.Cached(_log.CacheStart, _log.Last).Span) Assert.Equal(_terms[entry.Index.Value], entry.Term.Value);
            Assert.Equal(_submitted, _log.Submitted.Value);
            // The beginning itself is as durable as its commit point, which goes before anything behind it.
            for (ulong index = First + 1; index <= _log.Durable.Value; index++)
                Assert.True(_disk.TryGetValue(index, out ulong term) && term == _terms[index], $"seed {seed}: durable {_log.Durable}, on disk {string.Join(' ', _disk)}");
        }
    }
}
