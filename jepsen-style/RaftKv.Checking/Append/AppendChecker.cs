using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Append;

/// <summary>
/// Transactions over lists, demanded to be strictly serializable: there is one order of all of them, that agrees with real time, and that every read agrees with.
/// </summary>
/// <remarks>
/// <para>After Elle (Kingsbury &amp; Alvaro, VLDB 2020; checkers.md §4.5). A list is a key whose value is its elements, whole numbers with commas between; an element
/// is appended to it once. An append is a put of the whole list that is guarded by the revision of what was read, so the value itself says what came before.
/// From the lists follows which transaction comes before which; a cycle of that has no order, and a person can follow it.</para>
/// <para>A transaction of unknown outcome counts once an element of its own is seen, and bounds nothing in real time after it. An append that is tried again under
/// another idempotency key needs an element of its own.</para>
/// <para>Unknown without a read of every list after its last acknowledged append: what was lost last would not show.</para>
/// </remarks>
public static class AppendChecker
{
    internal const string Name = "append";

    /// <param name="prefix">Of the keys that hold lists; other keys are not looked at.</param>
    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, string prefix)
    {
        AppendHistory transactions = new(history, prefix);
        if (transactions.Garbage is { } garbage) return new CheckVerdict(Name, 0, garbage);
        ListOrders orders = new(transactions);
        long committed = transactions.Commitments.Count(commitment => commitment == Commitment.Committed);
        if (orders.FirstFinding() is { } finding) return new CheckVerdict(Name, committed, finding with { Detail = CallText.Lines(finding.Calls) });
        DependencyGraph graph = new(transactions, orders);
        if (CycleSearch.Find(graph) is { } cycle) return new CheckVerdict(Name, committed, new CycleText(transactions, graph, cycle).Finding());
        return new CheckVerdict(Name, committed, null, UnreadOf(transactions));
    }

    /// <summary>Why this is not enough; null if it is.</summary>
    private static string? UnreadOf(AppendHistory transactions)
    {
        long[] lastAppend = new long[transactions.Keys.Count];
        long[] lastRead = new long[transactions.Keys.Count];
        Array.Fill(lastAppend, long.MinValue);
        Array.Fill(lastRead, long.MinValue);
        bool hasAppend = false;
        for (int txn = 0; txn < transactions.Requests.Count; txn++)
        {
            LogicalRequest request = transactions.Requests[txn];
            if (request.Outcome != OutcomeKind.Ok) continue;
            foreach (ListStep step in transactions.StepsOf(txn))
            {
                if (step.IsAppend) lastAppend[step.Key] = Math.Max(lastAppend[step.Key], request.Return);
                else lastRead[step.Key] = Math.Max(lastRead[step.Key], request.Call);
                hasAppend |= step.IsAppend;
            }
        }

        if (!hasAppend) return "no append was acknowledged";
        int unread = Enumerable.Range(0, lastAppend.Length).Count(key => lastAppend[key] != long.MinValue && lastRead[key] <= lastAppend[key]);
        return unread == 0 ? null : $"{unread} lists were not read after their last append";
    }
}
