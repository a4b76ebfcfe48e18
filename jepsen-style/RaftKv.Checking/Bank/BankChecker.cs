using System.Globalization;
using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Bank;

/// <summary>
/// Banks: the accounts of one are keys under one prefix, in one shard; transfers are transactions that compare the revisions of two accounts and put both. Every
/// transaction that reads all accounts sees the initial total, no balance below zero, and one state: not one account as a transfer left it and the other as it was.
/// </summary>
/// <remarks>
/// <para>checkers.md §4.6. One state shows in the revisions: they order all writes of the shard, so a read whose newest account is at r has every account at the
/// last of its changes up to r that anybody knows of, from an answer or from another read. That finds a mixture also when its total is right by chance.</para>
/// <para>An account is opened by a put with the condition that it is absent: an opening without it that comes to take effect late would make money.</para>
/// </remarks>
public static class BankChecker
{
    private const string Name = "bank";

    /// <param name="totals">Of each bank, by the prefix of its accounts.</param>
    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, IReadOnlyDictionary<string, long> totals)
    {
        IReadOnlyList<LogicalOperation> operations = LogicalRequest.OperationsOf(history);
        long read = 0;
        List<string> unread = [];
        foreach ((string prefix, long total) in totals.OrderBy(bank => bank.Key, StringComparer.Ordinal))
        {
            Ledger ledger = new(prefix, total, operations, history);
            if (ledger.FirstFinding() is { } finding) return new CheckVerdict(Name, read + ledger.Read, finding);
            read += ledger.Read;
            if (ledger.Read == 0) unread.Add(prefix);
        }

        return new CheckVerdict(Name, read, null, unread.Count == 0 ? null : $"no transaction read all accounts of {string.Join(", ", unread.Select(prefix => $"\"{prefix}\""))}");
    }

    /// <summary>A transaction that read all accounts.</summary>
    private sealed record FullRead(ClientCall Call, Dictionary<string, KvResult> Accounts);

    /// <summary>A change of an account: its revision, and a call that tells of it.</summary>
    private readonly record struct Change(ulong Revision, ClientCall Teller);

    private sealed class Ledger
    {
        private readonly string _prefix;
        private readonly long _total;
        private readonly SortedDictionary<string, List<Change>> _changes = new(StringComparer.Ordinal);
        private readonly Dictionary<string, ClientCall> _opened = new(StringComparer.Ordinal);
        private readonly List<FullRead> _reads;

        public Ledger(string prefix, long total, IReadOnlyList<LogicalOperation> operations, IReadOnlyList<ClientCall> history)
        {
            _prefix = prefix;
            _total = total;
            foreach (LogicalOperation operation in operations.Where(operation => IsAccount(operation.Key)))
            {
                if (!_changes.TryGetValue(operation.Key, out List<Change>? changes)) _changes.Add(operation.Key, changes = []);
                if (!operation.HasChanged) continue;
                changes.Add(new Change(operation.Result!.Revision, operation.Answer));
                if (!_opened.TryGetValue(operation.Key, out ClientCall? opened) || operation.Return < opened.Return) _opened[operation.Key] = operation.Answer;
            }

            _reads = [.. history.Where(call => call is { Kind: CallKind.Txn, Outcome: OutcomeKind.Ok, IsReplay: false }).Select(FullReadOf).OfType<FullRead>().OrderBy(read => read.Call.Call)];
            foreach (FullRead read in _reads)
                foreach ((string account, KvResult found) in read.Accounts)
                    if (found.Existed) _changes[account].Add(new Change(found.Revision, read.Call));
            foreach (List<Change> changes in _changes.Values) changes.Sort(static (left, right) => left.Revision.CompareTo(right.Revision));
        }

        /// <summary>Of all accounts, when they were open.</summary>
        public long Read { get; private set; }

        public Finding? FirstFinding()
        {
            foreach (FullRead read in _reads)
            {
                if (read.Accounts.Values.FirstOrDefault(found => !found.Existed) is { } absent)
                {
                    if (_opened.TryGetValue(absent.Key, out ClientCall? opened) && opened.Return < read.Call.Call)
                        return new Finding(Name, $"account {CallText.Quoted(absent.Key)} was there at {CallText.At(opened.Return)}, and the read called at {CallText.At(read.Call.Call)} did not find it", [opened, read.Call]);
                    continue; // The accounts are being opened.
                }

                Read++;
                if ((FindingOfBalances(read) ?? FindingOfState(read)) is { } finding) return finding with { Detail = Table(read) };
            }

            return null;
        }

        private Finding? FindingOfBalances(FullRead read)
        {
            long sum = 0;
            foreach ((string account, KvResult found) in read.Accounts)
            {
                if (!long.TryParse(found.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long balance))
                    return new Finding(Name, $"account {CallText.Quoted(account)} holds {CallText.Quoted(found.Value)}, which is no balance", [read.Call]);
                if (balance < 0) return new Finding(Name, $"account {CallText.Quoted(account)} is at {balance} in the read called at {CallText.At(read.Call.Call)}, below zero", [read.Call]);
                sum += balance;
            }

            return sum == _total ? null : new Finding(Name, $"the accounts of \"{_prefix}\" add up to {sum} in the read called at {CallText.At(read.Call.Call)}, not to {_total}", [read.Call]);
        }

        /// <summary>Up to the newest account's revision, every account is at its last change.</summary>
        private Finding? FindingOfState(FullRead read)
        {
            (string newest, KvResult top) = read.Accounts.MaxBy(account => account.Value.Revision);
            foreach ((string account, KvResult found) in read.Accounts)
            {
                List<Change> changes = _changes[account];
                Change last = changes[LastUpTo(changes, top.Revision)];
                if (last.Revision == found.Revision) continue;
                ClientCall[] calls = ReferenceEquals(last.Teller, read.Call) ? [read.Call] : [.. new[] { last.Teller, read.Call }.OrderBy(call => call.Call)];
                return new Finding(
                    Name, $"the read called at {CallText.At(read.Call.Call)} mixes states: {CallText.Quoted(newest)} is at revision {top.Revision}, but {CallText.Quoted(account)} at {found.Revision}, before its change at {last.Revision}", calls);
            }

            return null;
        }

        /// <summary>There is one: what the read found is among them.</summary>
        private static int LastUpTo(List<Change> changes, ulong revision)
        {
            int low = 0;
            int high = changes.Count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (changes[middle].Revision <= revision) low = middle + 1;
                else high = middle;
            }

            return low - 1;
        }

        /// <summary>Null for what is no read of all accounts.</summary>
        private FullRead? FullReadOf(ClientCall call)
        {
            IReadOnlyList<KvOperation> ran = call.Succeeded ? call.Operations : call.Else;
            if (ran.Count < _changes.Count || ran.Any(operation => operation.Kind != RequestKind.Get)) return null;
            Dictionary<string, KvResult> accounts = new(StringComparer.Ordinal);
            foreach (KvResult found in call.Results)
                if (IsAccount(found.Key)) accounts[found.Key] = found;
            return accounts.Count > 0 && accounts.Count == _changes.Count ? new FullRead(call, accounts) : null;
        }

        private bool IsAccount(string key) => key.StartsWith(_prefix, StringComparison.Ordinal);

        private static string Table(FullRead read) => string.Concat(read.Accounts.OrderBy(account => account.Key, StringComparer.Ordinal).Select(account => $"{account.Key}: {account.Value.Value} at revision {account.Value.Revision}\n"));
    }
}
