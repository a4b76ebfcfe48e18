namespace RaftKv.Storage;

/// <summary>
/// Bounds the memory that what was written and is not flushed yet takes in all stores of a node together (design §7). Whoever writes tells how much; above the
/// budget the store that holds most is flushed, and when as much waits to be flushed as the budget allows, the writer waits.
/// </summary>
/// <remarks>
/// Invariant, after each <see cref="OnWritten"/>: bytes in memtables that take writes ≤ <paramref name="budgetBytes"/>, and each store's ≤ <paramref name="storeBytes"/>;
/// bytes on their way to the disk ≤ 2 × <paramref name="budgetBytes"/>. An estimate: rows and what RocksDB keeps beside each. Thread-safe; one lock, held while it counts and looks
/// for the largest, never while it flushes.
/// </remarks>
internal sealed class MemtableBudget(long budgetBytes, long storeBytes)
{
    private readonly Lock _lock = new();
    private readonly HashSet<Account> _accounts = [];
    private readonly List<(Account Account, long Bytes)> _flushing = [];
    private long _written;
    private long _beingFlushed;

    /// <summary>One store's part. Its owner disposes it before the store is closed.</summary>
    public Account Open(IMemtable memtable)
    {
        Account account = new(this, memtable);
        lock (_lock) _accounts.Add(account);
        return account;
    }

    /// <summary>What all memtables that take writes hold.</summary>
    public long WrittenBytes
    {
        get { lock (_lock) return _written; }
    }

    private void OnWritten(Account account, long bytes)
    {
        Account? largest = null;
        lock (_lock)
        {
            if (!_accounts.Contains(account)) return;
            account.Written += bytes;
            _written += bytes;
            if (account.Written > storeBytes) largest = account;
            else if (_written > budgetBytes) largest = _accounts.MaxBy(open => open.Written);
        }

        if (largest is null) return;
        largest.Memtable.BeginFlush(); // Which tells of itself.
        WaitForRoom();
    }

    private void OnFlushBegun(Account account)
    {
        lock (_lock)
        {
            if (account.Written == 0) return;
            _flushing.Add((account, account.Written));
            _beingFlushed += account.Written;
            _written -= account.Written;
            account.Written = 0;
        }
    }

    private void WaitForRoom()
    {
        lock (_lock) if (_beingFlushed <= budgetBytes) return;
        ForgetFlushed();
        Account? oldest = null;
        lock (_lock) if (_beingFlushed > budgetBytes) oldest = _flushing[0].Account;
        if (oldest is null) return;
        oldest.Memtable.AwaitFlush();
        ForgetFlushed();
    }

    private void ForgetFlushed()
    {
        List<(Account Account, long Bytes)> begun;
        lock (_lock) begun = [.. _flushing];
        foreach (var flush in begun)
        {
            if (flush.Account.Memtable.IsFlushing) continue;
            lock (_lock) if (_flushing.Remove(flush)) _beingFlushed -= flush.Bytes;
        }
    }

    private void Close(Account account)
    {
        lock (_lock)
        {
            if (!_accounts.Remove(account)) return;
            _written -= account.Written;
            account.Written = 0; // A flush of it may just have been decided on.
            foreach (var flush in _flushing.Where(flush => flush.Account == account)) _beingFlushed -= flush.Bytes;
            _flushing.RemoveAll(flush => flush.Account == account);
        }
    }

    /// <summary>A store's memtables, as far as the budget is concerned with them.</summary>
    public interface IMemtable
    {
        /// <summary>Whether anything waits to be flushed or is being flushed; false once the store is closed.</summary>
        bool IsFlushing { get; }

        /// <summary>Begins to flush what was written so far; tells <see cref="Account.OnFlushBegun"/>.</summary>
        void BeginFlush();

        /// <summary>Returns when what was begun to be flushed is.</summary>
        void AwaitFlush();
    }

    /// <summary>What one store has told.</summary>
    public sealed class Account(MemtableBudget budget, IMemtable memtable) : IDisposable
    {
        internal IMemtable Memtable { get; } = memtable;

        /// <summary>Written since the last flush was begun. Under the budget's lock.</summary>
        internal long Written { get; set; }

        /// <summary>After a write. May begin to flush this store or another one, and may wait until another has room.</summary>
        public void OnWritten(long bytes) => budget.OnWritten(this, bytes);

        /// <summary>Right before a flush begins, whoever asked for it.</summary>
        public void OnFlushBegun() => budget.OnFlushBegun(this);

        public void Dispose() => budget.Close(this);
    }
}
