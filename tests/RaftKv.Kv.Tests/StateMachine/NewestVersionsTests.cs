namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>The cache may forget, but never says what is no longer so, and stays within its room.</summary>
public sealed class NewestVersionsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1_000)]
    [InlineData(20_000)]
    [InlineData(1_000_000)]
    public void What_it_knows_is_what_was_set_last(int maxBytes)
    {
        Random random = new(7);
        NewestVersions cache = new(maxBytes);
        Dictionary<int, ulong> truth = [];
        int known = 0;
        for (ulong revision = 1; revision <= 20_000; revision++)
        {
            int key = random.Next(200);
            if (cache.TryGet([(byte)key], out KeyVersion version))
            {
                known++;
                Assert.Equal(truth[key], version.Revision);
            }

            if (random.Next(2) == 0) continue;
            truth[key] = revision;
            cache.Set([(byte)key], new KeyVersion(revision, random.Next(3) == 0, 1, 1, 0));
        }

        if (maxBytes == 0) Assert.Equal(0, known);
        else if (maxBytes == 1_000_000) Assert.InRange(known, 19_000, 20_000);
        else Assert.InRange(known, 1, 19_000);
    }

    [Fact]
    public void What_is_used_stays_however_many_others_come_and_go()
    {
        NewestVersions cache = new(10_000);
        cache.Set("in use"u8, new KeyVersion(1, false, 1, 1, 0));
        for (int i = 0; i < 10_000; i++)
        {
            cache.Set(BitConverter.GetBytes(i), new KeyVersion(2, false, 1, 1, 0));
            Assert.True(cache.TryGet("in use"u8, out KeyVersion version));
            Assert.Equal(1UL, version.Revision);
        }

        Assert.False(cache.TryGet(BitConverter.GetBytes(0), out _));
        Assert.InRange(Enumerable.Range(0, 10_000).Count(i => cache.TryGet(BitConverter.GetBytes(i), out _)), 1, 10_000 / 140);
    }

    [Fact]
    public void It_allocates_nothing_for_a_key_that_it_holds()
    {
        NewestVersions cache = new(1_000_000);
        byte[] key = [1, 2, 3];
        cache.Set(key, new KeyVersion(1, false, 1, 1, 0));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong i = 0; i < 1_000; i++)
        {
            cache.TryGet(key, out _);
            cache.Set(key, new KeyVersion(i, false, 1, 1, 0));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
