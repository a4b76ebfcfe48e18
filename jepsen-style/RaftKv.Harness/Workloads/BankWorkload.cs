using System.Collections.Immutable;
using System.Globalization;
using RaftKv.Checking;
using RaftKv.Checking.Bank;
using RaftKv.Checking.Histories;

namespace RaftKv.Harness.Workloads;

/// <summary>
/// Money moves between accounts by transactions within a shard: what two accounts hold is read, then both are put on condition that neither has changed. Whoever reads a whole
/// bank must find what was put in.
/// </summary>
internal sealed class BankWorkload(int shards) : Workload
{
    private const int Accounts = 5;
    private const long Opening = 100;
    private readonly string[] _banks = [.. Enumerable.Range(0, Math.Max(2, shards)).Select(bank => $"{{bank{bank}}}/")];

    /// <inheritdoc/>
    public override string Name => "bank";

    /// <inheritdoc/>
    public override string Summary => "transactions within a shard are atomic: transfers keep the total of a bank";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Txn];

    /// <inheritdoc/>
    public override async Task PrepareAsync(Worker worker, CancellationToken stop)
    {
        foreach (string bank in _banks)
        {
            ImmutableArray<string> accounts = AccountsOf(bank);
            await worker.Client.TxnAsync([.. accounts.Select(account => new KvCompare(account, 0))], [.. accounts.Select(account => KvOperation.Put(account, Text(Opening)))], [], stop);
        }
    }

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        string bank = _banks[worker.Random.Next(_banks.Length)];
        if (worker.Random.Next(3) == 0)
        {
            await ReadAllAsync(worker, bank, stop);
            return;
        }

        string[] pair = [.. AccountsOf(bank)];
        worker.Random.Shuffle(pair);
        (string from, string to) = (pair[0], pair[1]);
        ClientCall read = await worker.Client.TxnAsync([], [KvOperation.Get(from), KvOperation.Get(to)], [], stop);
        if (read is not { Outcome: OutcomeKind.Ok, Results: [{ Existed: true } payer, { Existed: true } payee] }) return;
        long balance = long.Parse(payer.Value!, CultureInfo.InvariantCulture);
        long amount = worker.Random.Next(1, 20);
        if (balance < amount) return;
        await worker.Client.TxnAsync(
            [new KvCompare(from, payer.Revision), new KvCompare(to, payee.Revision)],
            [KvOperation.Put(from, Text(balance - amount)), KvOperation.Put(to, Text(long.Parse(payee.Value!, CultureInfo.InvariantCulture) + amount))], [], stop);
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreAnsweredAsync(_banks, bank => ReadAllAsync(worker, bank, stop));

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) =>
        [BankChecker.Check(history, PrefixesIn(history).ToDictionary(bank => bank, _ => Accounts * Opening)), .. RegisterChecks.Of(history)];

    private static Task<ClientCall> ReadAllAsync(Worker worker, string bank, CancellationToken stop) => worker.Client.TxnAsync([], [.. AccountsOf(bank).Select(KvOperation.Get)], [], stop);

    private static ImmutableArray<string> AccountsOf(string bank) => [.. Enumerable.Range(0, Accounts).Select(account => $"{bank}a{account}")];

    private static string Text(long balance) => balance.ToString(CultureInfo.InvariantCulture);
}
