using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Monotonic;

/// <summary>
/// What grows does not shrink: the revisions of a key that one process sees; and a stale read is as old as it says at most, and shows the state of the index it names.
/// </summary>
/// <remarks>
/// <para>Of an answer that repeats an earlier attempt's the revision is of then, so replays are left out, and the writes of batches with an idempotency key, whose
/// items are replayed each for itself.</para>
/// <para>A stale read of unknown age may miss whatever it likes; one with an age may miss what was written within its age before its call, nothing older: every write of the shard that had returned by then is at its
/// index or before it.</para>
/// </remarks>
public static class MonotonicChecker
{
    private const string Name = "monotonic";

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history) => Check(history, ClockError.None);

    /// <param name="clocks">The age of a stale read is by the clock of the node that says it.</param>
    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, ClockError clocks)
    {
        long looked = 0;
        if (GoingBack(history, ref looked) is { } back) return new CheckVerdict(Name, looked, back);
        StaleReads stale = new(history, clocks);
        Finding? finding = stale.FirstFinding();
        looked += stale.Checked;
        return new CheckVerdict(Name, looked, finding, looked == 0 ? "no process saw a key twice, and nobody read stale" : null);
    }

    /// <summary>One process has one call open at a time, so its calls are in order.</summary>
    private static Finding? GoingBack(IReadOnlyList<ClientCall> history, ref long looked)
    {
        Dictionary<(int Process, string Key), (ulong Revision, ClientCall Teller)> seen = [];
        foreach (ClientCall call in history.Where(call => call.Outcome is OutcomeKind.Ok or OutcomeKind.Refused).OrderBy(call => call.Call))
        {
            if (call.IsReplay || call.Freshness == Freshness.Stale) continue;
            for (int i = 0; i < call.Results.Length; i++)
            {
                KvResult result = call.Results[i];
                if (result.Revision == 0 || result.Outcome is not (OutcomeKind.Ok or OutcomeKind.Refused)) continue;
                if (call.Kind == CallKind.Batch && call.IdempotencyKey.Length > 0 && call.Operations[i].Kind != RequestKind.Get) continue;
                bool wasSeen = seen.TryGetValue((call.Process, result.Key), out (ulong Revision, ClientCall Teller) last);
                if (wasSeen && ReferenceEquals(last.Teller, call) && result.Revision <= last.Revision) continue; // Items of a batch are in no order.
                if (wasSeen && !ReferenceEquals(last.Teller, call))
                {
                    looked++;
                    if (result.Revision < last.Revision)
                        return Find($"process {call.Process} saw {CallText.Quoted(result.Key)} at revision {last.Revision} by {CallText.At(last.Teller.Return)}, and at {result.Revision} when it asked again {CallText.For(call.Call - last.Teller.Return)} later", last.Teller, call);
                }

                seen[(call.Process, result.Key)] = (result.Revision, call);
            }
        }

        return null;
    }

    private static Finding Find(string sentence, params ClientCall[] calls)
    {
        ClientCall[] distinct = [.. calls.Distinct(ReferenceEqualityComparer.Instance).Cast<ClientCall>().OrderBy(call => call.Call)];
        return new Finding(Name, sentence, distinct, CallText.Lines(distinct));
    }

    /// <summary>A write of which the place is known.</summary>
    private readonly record struct PlacedWrite(Position Position, LogicalOperation Operation);

    private sealed class StaleReads
    {
        private readonly ClockError _clocks;
        private readonly ClientCall[] _reads;
        private readonly Dictionary<ulong, List<(long Return, ulong Index, ClientCall Teller)>> _heights = [];
        private readonly Dictionary<string, List<PlacedWrite>> _placed = new(StringComparer.Ordinal);
        private readonly Dictionary<string, List<LogicalOperation>> _open = new(StringComparer.Ordinal);
        private readonly HashSet<string> _expiring = new(StringComparer.Ordinal);

        public StaleReads(IReadOnlyList<ClientCall> history, ClockError clocks)
        {
            _clocks = clocks;
            _reads = [.. history.Where(call => call is { Kind: CallKind.Get, Freshness: Freshness.Stale, Outcome: OutcomeKind.Ok }).OrderBy(call => call.Call)];
            if (_reads.Length == 0) return;
            foreach (LogicalOperation write in LogicalRequest.OperationsOf(history).Where(operation => operation.MayHaveChanged))
            {
                if (write.Asked.TtlSeconds is not null) _expiring.Add(write.Key);
                if (!write.IsOk || write.Result!.Position is not { } position)
                {
                    Add(_open, write.Key, write);
                    continue;
                }

                Add(_placed, write.Key, new PlacedWrite(position, write));
                if (!_heights.TryGetValue(position.Shard, out var heights)) _heights.Add(position.Shard, heights = []);
                heights.Add((write.Return, position.Index, write.Answer));
            }

            foreach (List<PlacedWrite> writes in _placed.Values) writes.Sort(static (left, right) => left.Position.CompareTo(right.Position));
            foreach (var heights in _heights.Values) Raise(heights);
        }

        public long Checked { get; private set; }

        public Finding? FirstFinding()
        {
            foreach (ClientCall read in _reads)
            {
                KvResult found = read.Results[0];
                string name = CallText.Quoted(found.Key);
                if (found.Position is not { } position) return Find($"the stale read of {name} called at {CallText.At(read.Call)} does not say of which index it is", read);
                if (Wrong(read, found, position) is { } wrong) return wrong;
                if (read.AgeMillis is not { } age) continue; // Whoever has not heard its leader since it started does not know.
                Checked++;
                if (TooOld(read, position, age) is { } tooOld) return tooOld;
            }

            return null;
        }

        /// <summary>Afterwards in the order of returns, each with the highest index of all that had returned by then.</summary>
        private static void Raise(List<(long Return, ulong Index, ClientCall Teller)> heights)
        {
            heights.Sort(static (left, right) => left.Return.CompareTo(right.Return));
            for (int i = 1; i < heights.Count; i++)
                if (heights[i].Index < heights[i - 1].Index) heights[i] = heights[i] with { Index = heights[i - 1].Index, Teller = heights[i - 1].Teller };
        }

        private Finding? TooOld(ClientCall read, Position position, long ageMillis)
        {
            if (!_heights.TryGetValue(position.Shard, out var heights)) return null;
            long asOf = read.Call - _clocks.AtMost(ageMillis * 1_000);
            int behind = FirstFrom(heights.Count, i => heights[i].Return >= asOf);
            if (behind == 0 || heights[behind - 1].Index <= position.Index) return null;
            (_, ulong index, ClientCall teller) = heights[behind - 1];
            return Find($"older than it says: a stale read called at {CallText.At(read.Call)}, at most {ageMillis} ms old, is of index {position.Index} of shard {position.Shard}, but a write at index {index} had returned {CallText.For(read.Call - teller.Return)} before", teller, read);
        }

        /// <summary>Against the last write at or before its index, where only known writes can have come after that.</summary>
        private Finding? Wrong(ClientCall read, KvResult found, Position position)
        {
            if (_expiring.Contains(found.Key)) return null;
            List<PlacedWrite> writes = _placed.TryGetValue(found.Key, out List<PlacedWrite>? placed) ? [.. placed.Where(write => write.Position.Shard == position.Shard)] : [];
            Position end = Position.OfRead(position.Shard, position.Index);
            int after = FirstFrom(writes.Count, i => writes[i].Position > end);
            LogicalOperation? last = after > 0 ? writes[after - 1].Operation : null;
            LogicalOperation? later = writes.Skip(after).Select(write => write.Operation).FirstOrDefault(write => found.Existed && write.Result!.Revision == found.Revision);
            string shown = found.Existed ? $"{CallText.Quoted(found.Value)} at revision {found.Revision}" : "nothing";
            string subject = $"the stale read of {CallText.Quoted(found.Key)} called at {CallText.At(read.Call)} found {shown} at index {position.Index}";
            if (later is not null) return Find($"{subject}, but that was written only at index {later.Result!.Position!.Value.Index}", later.Answer, read);

            ulong lastRevision = last?.Result!.Revision ?? 0;
            bool isDelete = last is null or { Asked.Kind: RequestKind.Delete };
            string before = last is null ? "nothing had been written by then" : $"the last write by then is at index {last.Result!.Position!.Value.Index}, revision {lastRevision}";
            ClientCall[] calls = last is null ? [read] : [last.Answer, read];
            if (found.Existed ? found.Revision == lastRevision && !isDelete : isDelete)
                return !found.Existed || last!.Asked.Value == found.Value ? null : Find($"{subject}, but what was written at that revision is {CallText.Quoted(last.Asked.Value)}", calls);
            if (found.Existed && found.Revision <= lastRevision) return Find($"{subject}, but {before}", calls);
            // Something of unknown outcome came between, or the answer is wrong.
            bool isExplained = Open(found.Key).Any(write => write.Call <= read.Return && (found.Existed ? write.Asked.Value == found.Value : write.Asked.Kind == RequestKind.Delete));
            return isExplained ? null : Find($"{subject}, but {before}, and no write of unknown outcome explains it", calls);
        }

        private List<LogicalOperation> Open(string key) => _open.GetValueOrDefault(key) ?? [];

        private static void Add<T>(Dictionary<string, List<T>> lists, string key, T item)
        {
            if (!lists.TryGetValue(key, out List<T>? list)) lists.Add(key, list = []);
            list.Add(item);
        }

        /// <summary>The first index from which on it holds.</summary>
        private static int FirstFrom(int count, Func<int, bool> holds)
        {
            int low = 0;
            int high = count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (holds(middle)) high = middle;
                else low = middle + 1;
            }

            return low;
        }
    }
}
