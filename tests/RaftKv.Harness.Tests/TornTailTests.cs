using RaftKv.Harness.Faults;

namespace RaftKv.Harness.Tests;

/// <summary>A log is torn behind what it had synced, never before.</summary>
public sealed class TornTailTests : IDisposable
{
    private const int Block = 4_096;
    private readonly DirectoryInfo _log = Directory.CreateTempSubdirectory("harness-tests-");

    public void Dispose() => _log.Delete(recursive: true);

    [Fact]
    public void Noise_begins_at_the_next_block_of_the_newest_segment()
    {
        byte[] old = Segment("0000000000000001.log", 4 * Block, written: Block);
        byte[] newest = Segment("0000000000000002.log", 40 * Block, written: (2 * Block) - 100);
        for (int seed = 1; seed <= 50; seed++)
        {
            File.WriteAllBytes(Of("0000000000000002.log"), newest);
            var (file, at, bytes) = TornTailFault.Tear(_log.FullName, new Random(seed))!.Value;
            Assert.Equal(("0000000000000002.log", 2L * Block), (file, at));
            byte[] torn = File.ReadAllBytes(Of(file));
            Assert.Equal(newest.Length, torn.Length);
            Assert.Equal(newest[..(2 * Block)], torn[..(2 * Block)]);
            Assert.InRange(torn.Count(one => one != 0) - ((2 * Block) - 100), 1, bytes);
        }

        Assert.Equal(old, File.ReadAllBytes(Of("0000000000000001.log")));
    }

    [Fact]
    public void A_full_segment_is_left_alone()
    {
        byte[] full = Segment("0000000000000001.log", 4 * Block, written: (4 * Block) - 1);
        Assert.Null(TornTailFault.Tear(_log.FullName, new Random(1)));
        Assert.Equal(full, File.ReadAllBytes(Of("0000000000000001.log")));
    }

    private byte[] Segment(string name, int length, int written)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan(0, written).Fill(7);
        File.WriteAllBytes(Of(name), bytes);
        return bytes;
    }

    private string Of(string name) => Path.Combine(_log.FullName, name);
}
