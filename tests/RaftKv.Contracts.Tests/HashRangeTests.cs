using FsCheck;
using FsCheck.Fluent;

namespace RaftKv.Contracts.Tests;

/// <summary>HashRange against a model in 128-bit numbers, in which 2^64 is an ordinary end.</summary>
public sealed class HashRangeTests
{
    [Theory]
    [InlineData(0UL, 10UL, 5UL, 20UL, 5UL, 10UL)]
    [InlineData(5UL, 0UL, 0UL, 9UL, 5UL, 9UL)]
    [InlineData(5UL, 0UL, 9UL, 0UL, 9UL, 0UL)]
    [InlineData(0UL, 0UL, 3UL, 4UL, 3UL, 4UL)]
    public void The_intersection_is_what_both_contain(ulong start, ulong end, ulong otherStart, ulong otherEnd, ulong expectedStart, ulong expectedEnd)
    {
        HashRange range = new(start, end);
        HashRange other = new(otherStart, otherEnd);
        Assert.Equal(new HashRange(expectedStart, expectedEnd), range.Intersect(other));
        Assert.Equal(range.Intersect(other), other.Intersect(range));
    }

    [Fact]
    public void Ranges_that_only_touch_have_none() => Assert.Null(new HashRange(0, 5).Intersect(new HashRange(5, 0)));

    private static readonly UInt128 TwoTo64 = UInt128.One << 64;

    /// <summary>Small numbers, numbers next to 2^64 and numbers anywhere: so that bounds meet.</summary>
    private static readonly Gen<ulong> Bounds = Gen.OneOf(
        Gen.Choose(0, 8).Select(n => (ulong)n),
        Gen.Choose(0, 8).Select(n => ulong.MaxValue - (ulong)n),
        ArbMap.Default.ArbFor<ulong>().Generator,
        Gen.Choose(0, 15).Select(n => (ulong)n << 60));

    private static readonly Arbitrary<HashRange> Ranges = (
        from a in Bounds
        from b in Bounds
        where b == 0 || a != b
        select b == 0 ? new HashRange(a, 0) : new HashRange(Math.Min(a, b), Math.Max(a, b))).ToArbitrary();

    private static readonly Arbitrary<ulong> Hashes = Bounds.ToArbitrary();

    private static UInt128 ModelEnd(HashRange range) => range.End == 0 ? TwoTo64 : range.End;

    [Fact]
    public void Contains_is_start_inclusive_and_end_exclusive() =>
        Prop.ForAll(Ranges, Hashes, (range, hash) => range.Contains(hash) == (range.Start <= (UInt128)hash && hash < ModelEnd(range))).QuickCheckThrowOnFailure();

    [Fact]
    public void Ranges_overlap_when_the_larger_start_is_below_the_smaller_end() =>
        Prop.ForAll(Ranges, Ranges, (a, b) =>
            a.Overlaps(b) == (UInt128.Max(a.Start, b.Start) < UInt128.Min(ModelEnd(a), ModelEnd(b))) && a.Overlaps(b) == b.Overlaps(a)).QuickCheckThrowOnFailure();

    [Fact]
    public void A_range_contains_another_when_both_its_bounds_do() =>
        Prop.ForAll(Ranges, Ranges, (a, b) => a.Contains(b) == (a.Start <= b.Start && ModelEnd(b) <= ModelEnd(a))).QuickCheckThrowOnFailure();

    [Fact]
    public void Last_is_the_end_less_one() =>
        Prop.ForAll(Ranges, r => r.Last == ModelEnd(r) - 1 && r.Contains(r.Last)).QuickCheckThrowOnFailure();

    [Fact]
    public void Only_the_whole_space_is_full() =>
        Prop.ForAll(Ranges, r => r.IsFull == (ModelEnd(r) - r.Start == TwoTo64)).QuickCheckThrowOnFailure();

    [Fact]
    public void Bounds_can_be_read_back() =>
        Prop.ForAll(Hashes, h => HashRange.TryParseBound(HashRange.FormatBound(h), out ulong back) && back == h).QuickCheckThrowOnFailure();

    [Fact]
    public void Equal_parts_tile_the_space_and_differ_by_at_most_one() =>
        Prop.ForAll(Gen.OneOf(Gen.Choose(1, 1_000), Gen.Elements(65_536, 65_537, 100_000)).ToArbitrary(), n =>
        {
            HashRange[] parts = HashRange.SplitFull(n);
            UInt128 next = 0;
            UInt128 smallest = TwoTo64;
            UInt128 largest = 0;
            foreach (HashRange part in parts)
            {
                if (part.Start != next) return false;
                next = ModelEnd(part);
                UInt128 size = next - part.Start;
                smallest = UInt128.Min(smallest, size);
                largest = UInt128.Max(largest, size);
            }

            return parts.Length == n && next == TwoTo64 && largest - smallest <= 1;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(5, 5)]
    [InlineData(6, 5)]
    [InlineData(ulong.MaxValue, 1)]
    public void An_empty_or_wrapping_range_is_refused(ulong start, ulong end) => Assert.Throws<ArgumentException>(() => new HashRange(start, end));

    [Fact]
    public void The_default_value_is_the_full_range()
    {
        Assert.Equal(HashRange.Full, default);
        Assert.True(default(HashRange).IsFull);
    }

    [Fact]
    public void Text_shows_16_hex_digits()
    {
        Assert.Equal("[0000000000000000, 2000000000000000)", HashRange.SplitFull(8)[0].ToString());
        Assert.Equal("[e000000000000000, 0000000000000000)", HashRange.SplitFull(8)[7].ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("00000000000000000")]
    [InlineData("000000000000000g")]
    [InlineData(" 00000000000000f")]
    [InlineData("0x00000000000000")]
    public void A_bound_is_exactly_16_hex_digits(string? text) => Assert.False(HashRange.TryParseBound(text, out _));
}
