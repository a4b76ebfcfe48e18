namespace RaftKv.Checking.Tests;

/// <summary>What the search remembers of its configurations.</summary>
public sealed class SearchMemoryTests
{
    [Fact]
    public void The_window_holds_every_required_word_that_says_something()
    {
        const int Operations = 400;
        Random random = new(1);
        (int Operation, bool Required)[] operations = [.. Enumerable.Range(0, Operations).Select(i => (i, i % 40 != 0))];
        int[] required = [.. operations.Where(operation => operation.Required).Select(operation => operation.Operation)];
        LinearizedSet set = new(operations);
        // A search places nearly in the order of calls, goes deep, and turns back far.
        int[] order = [.. operations.Select(operation => operation.Operation).OrderBy(operation => operation + random.Next(30))];
        HashSet<int> expected = [];
        for (int i = 0; i < 20_000; i++)
        {
            bool isDeeper = expected.Count < Operations * Math.Abs(Math.Sin(i / 900.0));
            int operation = isDeeper ? order[expected.Count] : order[Math.Max(expected.Count - 1, 0)];
            if (expected.Remove(operation)) set.Remove(operation);
            else if (expected.Add(operation)) set.Add(operation);

            ulong[] words = new ulong[(required.Length + 63) / 64];
            for (int bit = 0; bit < required.Length; bit++)
            {
                if (expected.Contains(required[bit])) words[bit / 64] |= 1UL << (bit % 64);
            }

            int full = words.TakeWhile(word => word == ulong.MaxValue).Count();
            int used = words.Length - words.Reverse().TakeWhile(word => word == 0).Count();
            Assert.Equal(set.Optional.Length + full, set.WindowStart);
            Assert.Equal(words[full..Math.Max(full, used)], set.Window.ToArray());
        }
    }

    [Fact]
    public void The_hash_of_a_set_depends_on_its_required_members_only()
    {
        LinearizedSet set = new([(0, true), (1, false), (2, true)]);
        ulong empty = set.Hash;
        set.Add(1);
        Assert.Equal(empty, set.Hash);
        set.Add(0);
        ulong first = set.Hash;
        set.Add(2);
        set.Remove(0);
        Assert.NotEqual(first, set.Hash);
        set.Remove(2);
        Assert.Equal(empty, set.Hash);
    }

    [Fact]
    public void Configurations_with_equal_hashes_are_told_apart()
    {
        LinearizedSet set = new([.. Enumerable.Range(0, 200).Select(i => (i, true))]);
        ConfigurationCache<int> cache = new();
        for (int i = 0; i < 200; i++)
        {
            // The hash of the state is chosen so that every configuration has the hash 0.
            Assert.True(cache.TryAdd(set, [], state: 1, stateHash: set.Hash));
            Assert.True(cache.TryAdd(set, [], state: 2, stateHash: set.Hash));
            Assert.False(cache.TryAdd(set, [], state: 1, stateHash: set.Hash));
            set.Add(i);
        }
    }

    [Fact]
    public void A_configuration_is_known_if_one_was_that_had_more_optional_operations_left()
    {
        LinearizedSet set = new([(0, true)]);
        ConfigurationCache<int> cache = new();
        Assert.True(cache.TryAdd(set, [0b0110], state: 1, stateHash: 0));
        Assert.False(cache.TryAdd(set, [0b0110], state: 1, stateHash: 0));
        Assert.False(cache.TryAdd(set, [0b1110], state: 1, stateHash: 0));
        Assert.True(cache.TryAdd(set, [0b1010], state: 1, stateHash: 0));
        Assert.True(cache.TryAdd(set, [0b0010], state: 1, stateHash: 0));
    }
}
