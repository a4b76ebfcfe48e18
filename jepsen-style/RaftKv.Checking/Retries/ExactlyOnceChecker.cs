using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Retries;

/// <summary>
/// Writes that are repeated under one idempotency key, on any nodes, happen once: every attempt is told the same, at most one of them as its own doing; no two writes
/// have one revision in a shard; and a key was written as often as its version says.
/// </summary>
/// <remarks>
/// <para>The answer that is not marked as a replay may have been lost, so there may be none. In a batch items are replayed each for itself, and a call says only
/// whether all were; there it is not counted.</para>
/// <para>The version counts the writes of a key since it was created, and the keys of this workload are never deleted. So at every read it lies between the puts that
/// were acknowledged before and those that can have happened by its end; where no outcome is unknown these are equal at a final read.</para>
/// <para>The keys of the attempts must be ones that the store remembers for ever (UUIDv7), or the run shorter than the window.</para>
/// </remarks>
public static class ExactlyOnceChecker
{
    private const string Name = "exactly-once";

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history)
    {
        IReadOnlyList<LogicalRequest> requests = LogicalRequest.Of(history);
        long writes = requests.Count(request => request.Answer.IsWrite);
        Finding? finding = requests.Select(FindingOfAnswers).FirstOrDefault(found => found is not null) ?? FindingOfRevisions(requests);
        if (finding is not null) return new CheckVerdict(Name, writes, finding);

        Dictionary<string, KeyWrites> keys = KeyWrites.Of(requests);
        foreach (KeyWrites key in keys.Values.OrderBy(key => key.Key, StringComparer.Ordinal))
            if (FindingOfVersions(key) is { } found) return new CheckVerdict(Name, writes, found);
        string[] unread = [.. keys.Values.Where(key => key is { IsCounted: true, HasFinalRead: false }).Select(key => key.Key).Order(StringComparer.Ordinal)];
        string? unknown = writes == 0 ? "nothing was written" : unread.Length > 0 ? $"{unread.Length} keys were not read after their last write, first \"{unread[0]}\"" : null;
        return new CheckVerdict(Name, writes, null, unknown);
    }

    /// <summary>All attempts at one write that were answered were answered alike, and not twice as if each had done it.</summary>
    private static Finding? FindingOfAnswers(LogicalRequest request)
    {
        if (request.Attempts.Count == 1) return null;
        ClientCall[] answered = [.. request.Attempts.Where(attempt => attempt.Outcome is OutcomeKind.Ok or OutcomeKind.Refused)];
        foreach (ClientCall answer in answered)
        {
            if (DifferenceOf(request.Answer, answer) is not { } difference) continue;
            return new Finding(Name, $"two attempts under the idempotency key \"{answer.IdempotencyKey}\" were told different things: {difference}", InOrder(request.Answer, answer));
        }

        ClientCall[] doers = [.. answered.Where(answer => answer.Kind != CallKind.Batch && !answer.IsReplay).Take(2)];
        return doers.Length < 2 ? null : new Finding(Name, $"two attempts under the idempotency key \"{doers[0].IdempotencyKey}\" were both told that they did it, at {PlaceOf(doers[0])}", InOrder(doers[0], doers[1]));
    }

    private static string? DifferenceOf(ClientCall first, ClientCall other)
    {
        if (first.Kind != CallKind.Batch && first.Outcome != other.Outcome) return $"{Lower(first.Outcome)}, and {Lower(other.Outcome)}";
        if (first.Kind == CallKind.Txn && first.Succeeded != other.Succeeded) return "one ran the branch then, the other else";
        for (int i = 0; i < Math.Min(first.Results.Length, other.Results.Length); i++)
        {
            if (first.Kind == CallKind.Batch && first.Operations[i].Kind == RequestKind.Get) continue;
            KvResult left = first.Results[i];
            KvResult right = other.Results[i];
            bool bothAnswered = left.Outcome is OutcomeKind.Ok or OutcomeKind.Refused && right.Outcome is OutcomeKind.Ok or OutcomeKind.Refused;
            if (!bothAnswered) continue;
            if (left.Outcome != right.Outcome) return $"{CallText.Quoted(left.Key)} {Lower(left.Outcome)}, and {Lower(right.Outcome)}";
            if (left.Revision != right.Revision) return $"{CallText.Quoted(left.Key)} at revision {left.Revision}, and at {right.Revision}";
            if (Differ(left.Position, right.Position)) return $"{CallText.Quoted(left.Key)} at {left.Position}, and at {right.Position}";
        }

        return null;
    }

    private static bool Differ(Position? left, Position? right) => left is { } one && right is { } other && (one.Shard, one.Index) != (other.Shard, other.Index);

    /// <summary>In a shard no two requests have one revision; nor have two items of a batch.</summary>
    private static Finding? FindingOfRevisions(IReadOnlyList<LogicalRequest> requests)
    {
        Dictionary<(ulong Shard, ulong Revision), (LogicalRequest Request, int Item)> takers = [];
        foreach (LogicalRequest request in requests)
        {
            foreach (LogicalOperation write in request.Operations())
            {
                if (!write.HasChanged || write.Result is not { Position: { } position, Revision: > 0 } result) continue;
                int item = request.Kind == CallKind.Batch ? write.Item : 0;
                if (takers.TryAdd((position.Shard, result.Revision), (request, item))) continue;
                (LogicalRequest Request, int Item) taker = takers[(position.Shard, result.Revision)];
                if (ReferenceEquals(taker.Request, request) && taker.Item == item) continue;
                return new Finding(Name, $"two writes have revision {result.Revision} of shard {position.Shard}", InOrder(taker.Request.Answer, write.Answer));
            }
        }

        return null;
    }

    private static Finding? FindingOfVersions(KeyWrites key)
    {
        if (!key.IsCounted) return null;
        foreach ((long call, long back, KvResult found, ClientCall teller) in key.Reads)
        {
            int least = key.AcknowledgedBefore(call);
            int most = key.BegunBy(back);
            if (found.Version < (ulong)least)
                return new Finding(Name, $"{CallText.Quoted(key.Key)} is at version {found.Version} at {CallText.At(call)}, but {least} puts of it were acknowledged before: {(ulong)least - found.Version} of them are lost", InOrder([.. key.LastAcknowledgedBefore(call), teller]));
            if (found.Version > (ulong)most)
                return new Finding(Name, $"{CallText.Quoted(key.Key)} is at version {found.Version} at {CallText.At(back)}, but only {most} puts of it can have happened, {least} of them acknowledged: it was written more often than anybody asked", InOrder([.. key.LastAcknowledgedBefore(call), teller]));
        }

        return null;
    }

    private static string PlaceOf(ClientCall call) => call.Results.Select(result => result.Position).OfType<Position>().Select(position => position.ToString()).FirstOrDefault($"revision {call.Results[0].Revision}");

    private static string Lower(OutcomeKind outcome) => outcome.ToString().ToLowerInvariant();

    private static ClientCall[] InOrder(params ClientCall[] calls) => [.. calls.Distinct(ReferenceEqualityComparer.Instance).Cast<ClientCall>().OrderBy(call => call.Call)];

    /// <summary>The puts and reads of one key.</summary>
    private sealed class KeyWrites(string key)
    {
        private readonly List<LogicalOperation> _acknowledged = [];
        private readonly List<long> _begun = [];
        private long _lastWrite = long.MinValue;

        public string Key { get; } = key;

        /// <summary>It was never deleted, also not by its ttl.</summary>
        public bool IsCounted { get; private set; } = true;

        public List<(long Call, long Return, KvResult Found, ClientCall Teller)> Reads { get; } = [];

        public bool HasFinalRead => Reads.Any(read => read.Call > _lastWrite);

        public static Dictionary<string, KeyWrites> Of(IReadOnlyList<LogicalRequest> requests)
        {
            Dictionary<string, KeyWrites> keys = new(StringComparer.Ordinal);
            foreach (LogicalOperation operation in requests.SelectMany(request => request.Operations()))
            {
                if (!keys.TryGetValue(operation.Key, out KeyWrites? key)) keys.Add(operation.Key, key = new KeyWrites(operation.Key));
                key.Add(operation);
            }

            foreach (string unwritten in keys.Values.Where(key => key._begun.Count == 0).Select(key => key.Key).ToArray()) keys.Remove(unwritten);
            foreach (KeyWrites key in keys.Values)
            {
                key._acknowledged.Sort(static (left, right) => left.Return.CompareTo(right.Return));
                key._begun.Sort();
            }

            return keys;
        }

        public int AcknowledgedBefore(long call) => CountBelow(_acknowledged.Count, i => _acknowledged[i].Return < call);

        public int BegunBy(long time) => CountBelow(_begun.Count, i => _begun[i] <= time);

        public IEnumerable<ClientCall> LastAcknowledgedBefore(long call) => AcknowledgedBefore(call) is var count and > 0 ? [_acknowledged[count - 1].Answer] : [];

        private void Add(LogicalOperation operation)
        {
            if (operation.IsWrite && operation.MayHaveChanged)
            {
                IsCounted &= operation.Asked is { Kind: RequestKind.Put, TtlSeconds: null };
                _begun.Add(operation.Call);
                if (operation.IsOk) _acknowledged.Add(operation);
                _lastWrite = Math.Max(_lastWrite, operation.IsOk ? operation.Return : operation.Attempts[^1].Call);
            }
            else if (!operation.IsWrite && operation.IsOk && operation.Answer is { IsWrite: false, Freshness: not Freshness.Stale })
            {
                Reads.Add((operation.Call, operation.Return, operation.Result!, operation.Answer));
            }
        }

        private static int CountBelow(int count, Func<int, bool> isBelow)
        {
            int low = 0;
            int high = count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (isBelow(middle)) low = middle + 1;
                else high = middle;
            }

            return low;
        }
    }
}
