using System.Collections.Immutable;
using RaftKv.Checking;
using RaftKv.Checking.Append;
using RaftKv.Checking.Histories;

namespace RaftKv.Harness.Workloads;

/// <summary>
/// Transactions over lists within a shard: some are read, and to some of them an element is appended, on condition that none of them has changed since it was read. From the lists
/// the order of all transactions can be told (Elle).
/// </summary>
internal sealed class AppendWorkload(int shards) : Workload
{
    private const string Prefix = "{append";
    private const int ListsPerGroup = 4;
    private const int LongestList = 60;
    private readonly Group[] _groups = [.. Enumerable.Range(0, Math.Max(2, shards)).Select(group => new Group(group))];

    /// <inheritdoc/>
    public override string Name => "append";

    /// <inheritdoc/>
    public override string Summary => "transactions within a shard are strictly serializable: appends to lists, checked for cycles";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Txn];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        Group group = _groups[worker.Random.Next(_groups.Length)];
        string[] lists = group.Lists();
        worker.Random.Shuffle(lists);
        lists = lists[..worker.Random.Next(1, 4)];
        ClientCall read = await worker.Client.TxnAsync([], [.. lists.Select(KvOperation.Get)], [], stop);
        if (read.Outcome != OutcomeKind.Ok || worker.Random.Next(4) == 0) return;
        ImmutableArray<KvOperation>.Builder then = ImmutableArray.CreateBuilder<KvOperation>();
        int appends = worker.Random.Next(1, lists.Length + 1);
        for (int i = 0; i < lists.Length; i++)
        {
            KvResult found = read.Results[i];
            string element = NextValue();
            then.Add(i < appends ? KvOperation.Put(lists[i], found.Existed ? $"{found.Value},{element}" : element) : KvOperation.Get(lists[i]));
            if (found.Value?.Count(letter => letter == ',') >= LongestList) group.Replace(lists[i]);
        }

        await worker.Client.TxnAsync([.. read.Results.Select(found => new KvCompare(found.Key, found.Revision))], then.ToImmutable(), [], stop);
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) =>
        AreAnsweredAsync(_groups.SelectMany(group => group.AllLists()), list => worker.Client.TxnAsync([], [KvOperation.Get(list)], [], stop));

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [AppendChecker.Check(history, Prefix), .. RegisterChecks.Of(history)];

    /// <summary>Lists that one shard owns. One that has become long is left for another.</summary>
    private sealed class Group(int number)
    {
        private readonly Lock _lock = new();
        private readonly List<string> _retired = [];
        private readonly int[] _generations = new int[ListsPerGroup];

        public string[] Lists()
        {
            lock (_lock) return [.. Enumerable.Range(0, ListsPerGroup).Select(Name)];
        }

        public string[] AllLists()
        {
            lock (_lock) return [.. _retired, .. Enumerable.Range(0, ListsPerGroup).Select(Name)];
        }

        public void Replace(string list)
        {
            lock (_lock)
            {
                int slot = Enumerable.Range(0, ListsPerGroup).FirstOrDefault(slot => Name(slot) == list, -1);
                if (slot < 0) return; // Somebody else has.
                _retired.Add(list);
                _generations[slot]++;
            }
        }

        private string Name(int slot) => $"{Prefix}{number}}}/{slot}-{_generations[slot]}";
    }
}
