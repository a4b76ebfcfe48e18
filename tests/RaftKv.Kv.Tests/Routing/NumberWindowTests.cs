using FsCheck;
using FsCheck.Fluent;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Against a plain set: each number at most once, and none below the window (design §4).</summary>
public sealed class NumberWindowTests
{
    private const ulong Width = 65_536;

    /// <summary>Steps from the highest number so far: back and forth, at the window's edges, and far ahead.</summary>
    private static readonly Arbitrary<long[]> Steps = Gen.OneOf(
        Gen.Choose(-5, 5).Select(n => (long)n),
        Gen.Choose(-3, 3).Select(n => (long)Width + n),
        Gen.Choose(-3, 3).Select(n => -(long)Width + n),
        Gen.Choose(-3 * (int)Width, 3 * (int)Width).Select(n => (long)n),
        Gen.Elements(1L << 40, (1L << 40) + 63)).ArrayOf().Resize(200).ToArbitrary();

    [Fact]
    public void Every_number_of_the_window_is_taken_once_and_none_below_it() => Prop.ForAll(Steps, steps => Agrees(1, steps)).QuickCheckThrowOnFailure();

    [Fact]
    public void Also_where_numbers_end() => Prop.ForAll(Steps, steps => Agrees(ulong.MaxValue - 2 * Width, [.. steps.Where(step => step < 1L << 40)])).QuickCheckThrowOnFailure();

    [Fact]
    public void Duplicates_are_refused_and_stragglers_taken()
    {
        NumberWindow window = new();
        Assert.True(window.TryTake(3));
        Assert.True(window.TryTake(1));
        Assert.False(window.TryTake(3));
        Assert.False(window.TryTake(1));
        Assert.True(window.TryTake(2));
    }

    [Fact]
    public void A_large_jump_forgets_what_was_below_but_takes_none_of_it_again()
    {
        NumberWindow window = new();
        for (ulong number = 1; number <= 100; number++) Assert.True(window.TryTake(number));
        Assert.True(window.TryTake(100 + Width));
        for (ulong number = 1; number <= 100; number++) Assert.False(window.TryTake(number));
        Assert.True(window.TryTake(101));
        Assert.True(window.TryTake(1UL << 60));
        Assert.False(window.TryTake(100 + Width));
        Assert.True(window.TryTake((1UL << 60) - Width + 1));
        Assert.False(window.TryTake((1UL << 60) - Width));
    }

    [Fact]
    public void The_largest_number_is_a_number_like_any_other()
    {
        NumberWindow window = new();
        Assert.True(window.TryTake(70_000));
        Assert.True(window.TryTake(ulong.MaxValue));
        Assert.False(window.TryTake(ulong.MaxValue));
        Assert.True(window.TryTake(ulong.MaxValue - 1));
        Assert.False(window.TryTake(70_001));
    }

    private static bool Agrees(ulong first, long[] steps)
    {
        NumberWindow window = new();
        HashSet<ulong> taken = [];
        ulong highest = 0;
        ulong number = first;
        foreach (long step in (long[])[0, .. steps])
        {
            UInt128 next = (UInt128)((Int128)Math.Max(number, highest) + step);
            if ((Int128)Math.Max(number, highest) + step is var moved && (moved < 1 || moved > ulong.MaxValue)) continue;
            number = (ulong)next;
            bool isOld = highest - Math.Min(highest, number) >= Width;
            bool expected = !isOld && taken.Add(number);
            highest = Math.Max(highest, number);
            if (window.TryTake(number) != expected) return false;
        }

        return true;
    }
}
