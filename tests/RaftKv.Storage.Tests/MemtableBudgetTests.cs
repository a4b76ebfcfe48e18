namespace RaftKv.Storage.Tests;

/// <summary>The memory of what is written and not flushed, over all stores of a node.</summary>
public sealed class MemtableBudgetTests
{
    private readonly MemtableBudget _budget = new(budgetBytes: 100, storeBytes: 60);

    [Fact]
    public void Above_the_budget_the_store_that_holds_most_is_flushed()
    {
        FakeMemtable small = new(_budget), large = new(_budget), writer = new(_budget);
        small.Account.OnWritten(20);
        large.Account.OnWritten(50);
        writer.Account.OnWritten(30);
        Assert.Equal((0, 0, 0), (small.Flushes, large.Flushes, writer.Flushes));
        writer.Account.OnWritten(5);
        Assert.Equal((0, 1, 0), (small.Flushes, large.Flushes, writer.Flushes));
        Assert.Equal(55, _budget.WrittenBytes);
    }

    [Fact]
    public void A_store_above_its_own_bound_is_flushed_however_little_the_others_hold()
    {
        FakeMemtable store = new(_budget);
        store.Account.OnWritten(61);
        Assert.Equal((1, 0), (store.Flushes, _budget.WrittenBytes));
    }

    [Fact]
    public void A_flush_that_somebody_else_began_counts()
    {
        FakeMemtable store = new(_budget);
        store.Account.OnWritten(50);
        store.BeginFlush();
        Assert.Equal(0, _budget.WrittenBytes);
    }

    [Fact]
    public void A_writer_waits_for_the_oldest_flush_when_as_much_is_under_way_as_the_budget_allows()
    {
        FakeMemtable first = new(_budget), second = new(_budget);
        first.Account.OnWritten(61);
        Assert.Equal(0, first.Waits);
        second.Account.OnWritten(61);
        Assert.Equal((1, 0), (first.Waits, second.Waits));
    }

    [Fact]
    public void What_has_been_flushed_meanwhile_is_not_waited_for()
    {
        FakeMemtable first = new(_budget), second = new(_budget);
        first.Account.OnWritten(61);
        first.IsFlushing = false;
        second.Account.OnWritten(61);
        Assert.Equal((0, 0), (first.Waits, second.Waits));
    }

    [Fact]
    public void A_closed_store_counts_no_more()
    {
        FakeMemtable store = new(_budget), other = new(_budget);
        store.Account.OnWritten(50);
        store.Account.Dispose();
        Assert.Equal(0, _budget.WrittenBytes);
        other.Account.OnWritten(55);
        Assert.Equal(0, store.Flushes);
    }

    // Whoever chose it for the next flush does not know yet; a replica that is stopped for damage may be written to once more.
    [Fact]
    public void A_closed_store_that_is_flushed_or_written_to_counts_no_more_either()
    {
        FakeMemtable store = new(_budget), other = new(_budget);
        store.Account.OnWritten(50);
        other.Account.OnWritten(20);
        store.Account.Dispose();
        store.Account.OnFlushBegun();
        Assert.Equal(20, _budget.WrittenBytes);
        store.Account.OnWritten(10);
        store.Account.Dispose();
        Assert.Equal(20, _budget.WrittenBytes);
    }

    private sealed class FakeMemtable : MemtableBudget.IMemtable
    {
        public FakeMemtable(MemtableBudget budget) => Account = budget.Open(this);

        public MemtableBudget.Account Account { get; }

        public int Flushes { get; private set; }

        public int Waits { get; private set; }

        public bool IsFlushing { get; set; }

        public void BeginFlush()
        {
            Flushes++;
            IsFlushing = true;
            Account.OnFlushBegun();
        }

        public void AwaitFlush()
        {
            Waits++;
            IsFlushing = false;
        }
    }
}
