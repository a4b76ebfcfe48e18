using System.Globalization;
using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Counters;

/// <summary>
/// A counter in a key: an increment puts the next number if the key is still at the revision at which it was read, the first one "1" if it is absent. No two
/// increments that succeeded wrote one number, and whoever reads finds as many as were acknowledged before at least, and as many as were begun at most.
/// </summary>
/// <remarks>An increment that is tried again after an unknown outcome is another one, unless an idempotency key ties the two together.</remarks>
public static class CounterChecker
{
    private const string Name = "counter";

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, string key)
    {
        LogicalOperation[] operations = [.. LogicalRequest.OperationsOf(history).Where(operation => operation.Key == key)];
        if (operations.FirstOrDefault(operation => operation is { IsWrite: true, Asked: not { Kind: RequestKind.Put, TtlSeconds: null } }) is { } stranger)
            throw new ArgumentException($"a counter is only ever put, and has no ttl: {CallText.Of(stranger.Answer)}", nameof(history));
        LogicalOperation[] increments = [.. operations.Where(operation => operation.MayHaveChanged)];
        LogicalOperation[] reads = [.. operations.Where(operation => operation is { IsWrite: false, IsOk: true } && operation.Answer is not { Kind: CallKind.Get, Freshness: Freshness.Stale })];
        Finding? finding = FindingOfTwins(increments, key) ?? FindingOfNumbers(increments, reads, key);
        long lastIncrement = increments.Select(increment => increment.IsOk ? increment.Return : increment.Attempts[^1].Call).DefaultIfEmpty(long.MinValue).Max();
        string? unknown = increments.Length == 0 ? $"\"{key}\" was never incremented" : reads.Any(read => read.Call > lastIncrement) ? null : $"no read of \"{key}\" that was called after the last increment was answered";
        return new CheckVerdict(Name, increments.Length + reads.Length, finding, unknown);
    }

    private static Finding? FindingOfTwins(LogicalOperation[] increments, string key)
    {
        Dictionary<string, LogicalOperation> byNumber = new(StringComparer.Ordinal);
        foreach (LogicalOperation increment in increments.Where(increment => increment.IsOk))
        {
            if (byNumber.TryAdd(increment.Asked.Value!, increment)) continue;
            LogicalOperation twin = byNumber[increment.Asked.Value!];
            return Find($"lost update: two increments of \"{key}\" succeeded and both wrote {increment.Asked.Value}", twin.Answer, increment.Answer);
        }

        return null;
    }

    private static Finding? FindingOfNumbers(LogicalOperation[] increments, LogicalOperation[] reads, string key)
    {
        LogicalOperation[] acknowledged = [.. increments.Where(increment => increment.IsOk).OrderBy(increment => increment.Return)];
        long[] returns = [.. acknowledged.Select(increment => increment.Return)];
        long[] calls = [.. increments.Select(increment => increment.Call).Order()];
        foreach (LogicalOperation told in reads.Concat(acknowledged).OrderBy(told => told.Call))
        {
            string? text = told.IsWrite ? told.Asked.Value : told.Result!.Existed ? told.Result.Value : "0";
            string what = told.IsWrite ? "an increment to" : "a read of";
            if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return Find($"\"{key}\" holds {CallText.Quoted(text)}, which is no number", told.Answer);
            // An increment has counted itself.
            long before = told.IsWrite ? number - 1 : number;
            int least = CountBelow(returns, told.Call);
            int most = CountBelow(calls, told.Return == long.MaxValue ? told.Return : told.Return + 1) - (told.IsWrite ? 1 : 0);
            if (before < least)
                return Find($"{what} {number} was called at {CallText.At(told.Call)}, when {least} increments of \"{key}\" had been acknowledged: {least - before} of them are lost", acknowledged[least - 1].Answer, told.Answer);
            if (before > most)
                return Find($"{what} {number} returned at {CallText.At(told.Return)}, when at most {most} other increments of \"{key}\" had been begun: one was counted twice, or the number is made up", told.Answer);
        }

        return null;
    }

    private static int CountBelow(long[] sorted, long bound)
    {
        int low = 0;
        int high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (sorted[middle] < bound) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private static Finding Find(string sentence, params ClientCall[] calls)
    {
        ClientCall[] distinct = [.. calls.Distinct(ReferenceEqualityComparer.Instance).Cast<ClientCall>().OrderBy(call => call.Call)];
        return new Finding(Name, sentence, distinct, CallText.Lines(distinct));
    }
}
