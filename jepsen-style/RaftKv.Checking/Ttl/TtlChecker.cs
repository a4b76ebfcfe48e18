using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Ttl;

/// <summary>
/// Keys put with a ttl: not gone early, gone in the end, and never back. Every value is written once, so a read that finds it says which put it sees.
/// </summary>
/// <remarks>
/// <para>With the times of the harness's clock: a put takes effect between its call and its return, so its value lives at least until Call + ttl, and at most until
/// Return + ttl + grace. Of a put of unknown outcome the latest effect is known once its value was read: before the first such read returned.</para>
/// <para>Gone before its time it may be only by a call that can have come after it: a delete, another put (which the read must then see), or another put that has
/// expired itself. A key is looked at from the first put with a ttl on; the puts without one that it may also have never expire.</para>
/// </remarks>
public static class TtlChecker
{
    private const string Name = "ttl";
    private const int PerMille = 1_000;

    /// <summary>The store counts milliseconds: a deadline is up to one of them early.</summary>
    private const long TickMicros = 1_000;

    /// <param name="graceMicros">How late at most a key may go: the sweep's interval, and at a change of leader the time without one.</param>
    /// <param name="fastestClockPerMille">How fast the fastest clock of a node ran: 1100 if the faults make one 10 % too fast. A ttl is over the earlier.</param>
    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, long graceMicros, long fastestClockPerMille = PerMille)
    {
        (long early, long late) = (0, 0);
        foreach (KeyLife key in KeyLife.Of(history, graceMicros, fastestClockPerMille))
        {
            if (key.FirstFinding() is { } finding) return new CheckVerdict(Name, early + late, finding);
            early += key.EarlyReads;
            late += key.LateReads;
        }

        string? unknown = early == 0 ? "no read was between an acknowledged put and its deadline" : late == 0 ? "no read was after a deadline and its grace" : null;
        return new CheckVerdict(Name, early + late, null, unknown);
    }

    /// <param name="Value">Null: absent.</param>
    private sealed record Read(ClientCall Teller, long Call, long Return, string? Value);

    private sealed class Put(LogicalOperation operation)
    {
        public LogicalOperation Operation { get; } = operation;

        public string Value { get; } = operation.Asked.Value!;

        public long? TtlMicros { get; } = operation.Asked.TtlSeconds * 1_000_000L;

        /// <summary>The read of its value that returned first.</summary>
        public Read? FirstSeen { get; set; }

        /// <summary>It has had its effect by then; never, if nobody knows that.</summary>
        public long LatestEffect => Math.Min(Operation.Return, FirstSeen?.Return ?? RaftKv.Checking.Operation.Never);

        /// <summary>Who knows it.</summary>
        public ClientCall EffectTeller => LatestEffect == Operation.Return ? Operation.Answer : FirstSeen!.Teller;
    }

    private sealed class KeyLife
    {
        private readonly string _key;
        private readonly long _graceMicros;
        private readonly long _fastestClockPerMille;
        private readonly List<Put> _puts = [];
        private readonly Dictionary<string, Put> _byValue = new(StringComparer.Ordinal);
        private readonly List<LogicalOperation> _deletes = [];
        private readonly List<Read> _reads = [];

        private KeyLife(string key, long graceMicros, long fastestClockPerMille) => (_key, _graceMicros, _fastestClockPerMille) = (key, graceMicros, fastestClockPerMille);

        /// <summary>Reads while a put's value had to be there.</summary>
        public long EarlyReads { get; private set; }

        /// <summary>Reads when it could not be any more.</summary>
        public long LateReads { get; private set; }

        public static List<KeyLife> Of(IReadOnlyList<ClientCall> history, long graceMicros, long fastestClockPerMille)
        {
            IReadOnlyList<LogicalOperation> operations = LogicalRequest.OperationsOf(history);
            SortedDictionary<string, KeyLife> keys = new(StringComparer.Ordinal);
            foreach (string key in operations.Where(operation => operation.Asked.TtlSeconds is not null).Select(operation => operation.Key)) keys.TryAdd(key, new KeyLife(key, graceMicros, fastestClockPerMille));
            foreach (LogicalOperation operation in operations)
                if (keys.TryGetValue(operation.Key, out KeyLife? key)) key.Add(operation);
            foreach (ClientCall list in history.Where(call => call is { Kind: CallKind.List, Outcome: OutcomeKind.Ok, Freshness: not Freshness.Stale }))
                foreach (KvResult found in list.Results)
                    if (keys.TryGetValue(found.Key, out KeyLife? key)) key._reads.Add(new Read(list, list.Call, list.Return, found.Value));
            return [.. keys.Values];
        }

        public Finding? FirstFinding()
        {
            _reads.Sort(static (left, right) => left.Call.CompareTo(right.Call));
            foreach (Read read in _reads)
            {
                if (read.Value is null) continue;
                if (!_byValue.TryGetValue(read.Value, out Put? put) || put.Operation.Call > read.Return)
                    return Find($"{CallText.Quoted(_key)} was found to be {CallText.Quoted(read.Value)} by {CallText.At(read.Return)}, which no put that can have happened by then wrote", read.Teller);
                if (put.FirstSeen is null || read.Return < put.FirstSeen.Return) put.FirstSeen = read;
            }

            foreach (Put put in _puts)
                if ((Early(put) ?? Late(put) ?? Back(put)) is { } finding) return finding;
            return null;
        }

        private void Add(LogicalOperation operation)
        {
            if (!operation.IsWrite)
            {
                bool isStale = operation.Answer is { Kind: CallKind.Get, Freshness: Freshness.Stale };
                if (operation.IsOk && !isStale) _reads.Add(new Read(operation.Answer, operation.Call, operation.Return, operation.Result!.Existed ? operation.Result.Value ?? "" : null));
            }
            else if (operation.MayHaveChanged)
            {
                if (operation.Asked.Kind == RequestKind.Delete)
                {
                    _deletes.Add(operation);
                    return;
                }

                Put put = new(operation);
                _puts.Add(put);
                if (!_byValue.TryAdd(put.Value, put)) throw new ArgumentException($"{CallText.Quoted(put.Value)} is put twice to \"{_key}\": every value of a key with a ttl is written once", nameof(operation));
            }
        }

        /// <summary>Before its deadline it is there, unless somebody can have taken it away.</summary>
        private Finding? Early(Put put)
        {
            long end = put.TtlMicros is { } ttl ? EarliestEnd(put.Operation, ttl) : Operation.Never;
            foreach (Read read in _reads)
            {
                if (read.Call >= end) break;
                if (read.Call <= put.LatestEffect || read.Return >= end) continue;
                if (put.TtlMicros is not null) EarlyReads++;
                if (read.Value == put.Value || (read.Value is null ? MayBeGone(put, read) : IsReplaced(put, read))) continue;
                string lived = put.TtlMicros is { } micros ? $"for {micros / 1_000_000} s" : "without a ttl";
                return Find(
                    $"early: {CallText.Quoted(_key)} = {CallText.Quoted(put.Value)} was put {lived} at {CallText.At(put.Operation.Call)} at the earliest, and after {CallText.For(read.Return - put.Operation.Call)} it was {(read.Value is null ? "gone" : CallText.Quoted(read.Value))} without a call that explains it",
                    put.Operation.Answer, put.EffectTeller, read.Teller);
            }

            return null;
        }

        private long EarliestEnd(LogicalOperation put, long ttlMicros) => put.Call + ttlMicros * PerMille / _fastestClockPerMille - TickMicros;

        /// <summary>A delete, or another put that has expired since, can have come between.</summary>
        private bool MayBeGone(Put put, Read read) =>
            _deletes.Any(delete => CanBeBetween(put, delete, read)) || _puts.Any(other => other != put && other.TtlMicros is { } ttl && CanBeBetween(put, other.Operation, read) && EarliestEnd(other.Operation, ttl) <= read.Return);

        /// <summary>The value found was put after it.</summary>
        private bool IsReplaced(Put put, Read read) => _byValue.TryGetValue(read.Value!, out Put? other) && other != put && CanBeBetween(put, other.Operation, read);

        /// <summary>It can have taken effect after the put and before the read.</summary>
        private static bool CanBeBetween(Put put, LogicalOperation write, Read read) => write.Call <= read.Return && write.Return >= put.Operation.Call;

        private Finding? Late(Put put)
        {
            if (put.TtlMicros is not { } ttl || put.LatestEffect == Operation.Never) return null;
            long end = put.LatestEffect + ttl + _graceMicros;
            foreach (Read read in _reads)
            {
                if (read.Call <= end) continue;
                LateReads++;
                if (read.Value != put.Value) continue;
                return Find(
                    $"late: {CallText.Quoted(_key)} = {CallText.Quoted(put.Value)} was put for {ttl / 1_000_000} s by {CallText.At(put.LatestEffect)} at the latest, and {CallText.For(read.Call - put.LatestEffect)} after that it was still there; {CallText.For(_graceMicros)} of delay are allowed",
                    put.Operation.Answer, put.EffectTeller, read.Teller);
            }

            return null;
        }

        /// <summary>Once a read has not found it any more, no later one does.</summary>
        private Finding? Back(Put put)
        {
            Read? gone = null;
            foreach (Read read in _reads)
            {
                if (read.Value != put.Value && read.Call > put.LatestEffect && (gone is null || read.Return < gone.Return)) gone = read;
                if (read.Value != put.Value || gone is null || read.Call <= gone.Return) continue;
                return Find($"back: {CallText.Quoted(_key)} = {CallText.Quoted(put.Value)} was no more at {CallText.At(gone.Return)}, and was there again {CallText.For(read.Call - gone.Return)} later", put.EffectTeller, gone.Teller, read.Teller);
            }

            return null;
        }

        private static Finding Find(string sentence, params ClientCall[] calls)
        {
            ClientCall[] distinct = [.. calls.Distinct(ReferenceEqualityComparer.Instance).Cast<ClientCall>().OrderBy(call => call.Call)];
            return new Finding(Name, sentence, distinct, CallText.Lines(distinct));
        }
    }
}
