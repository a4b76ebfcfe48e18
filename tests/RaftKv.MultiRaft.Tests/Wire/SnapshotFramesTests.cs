using System.Buffers.Binary;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Wire;

/// <summary>The frames of a snapshot on its way. What an offer names becomes a file here, so nothing but a plain name passes.</summary>
public sealed class SnapshotFramesTests
{
    [Fact]
    public void Frames_can_be_read_back()
    {
        Random random = new(6);
        for (int i = 0; i < 2_000; i++)
        {
            SnapshotId id = new(new GroupId(Samples.Number(random)), new ReplicaId(Samples.Number(random)), new ReplicaId(Samples.Number(random)), Samples.Number(random));
            SnapshotOffer offer = new(id, new Term(Samples.Number(random)),
                [.. Enumerable.Range(0, 1 + random.Next(5)).Select(n => new CheckpointFile($"{n:D6}.sst", random.NextInt64()))]);
            Samples.AssertSame(offer, SnapshotOffer.Read(Body(offer.ToFrame())));
            SnapshotFetch fetch = new(id, random.Next(), random.NextInt64());
            Assert.Equal(fetch, SnapshotFetch.Read(Body(fetch.ToFrame())));
            byte[] piece = new byte[random.Next(50)];
            random.NextBytes(piece);
            SnapshotChunk chunk = new(id, random.Next(), random.NextInt64(), piece);
            Samples.AssertSame(chunk, SnapshotChunk.Read(Body(chunk.ToFrame())));
            SnapshotEnd end = new(id, new LogIndex(Samples.Number(random)));
            Assert.Equal(end, SnapshotEnd.Read(Body(end.ToFrame())));
        }
    }

    [Fact]
    public void Every_truncation_and_every_byte_too_many_is_malformed()
    {
        foreach (var (body, read) in AllKinds())
        {
            for (int length = 0; length < body.Length; length++) Assert.Throws<MalformedException>(() => read(body[..length]));
            Assert.Throws<MalformedException>(() => read([.. body, 0]));
            read(body);
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("000012.sst")]
    [InlineData("MANIFEST-000004")]
    [InlineData("OPTIONS-000007_x")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    public void A_plain_name_passes(string name) => Assert.Equal(name, SnapshotOffer.Read(Offering(new CheckpointFile(name, 1))).Files[0].Name);

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("../x")]
    [InlineData("a/../../x")]
    [InlineData("/etc/passwd")]
    [InlineData("a/b")]
    [InlineData("a\\b")]
    [InlineData("a\0b")]
    [InlineData("a b")]
    [InlineData("a\n")]
    [InlineData("ä")]
    [InlineData("a\u2044b")]
    [InlineData("~")]
    [InlineData("01234567890123456789012345678901234567890123456789012345678901234")]
    public void A_name_that_is_not_plain_is_malformed(string name) => Assert.Throws<MalformedException>(() => SnapshotOffer.Read(Offering(new CheckpointFile(name, 1))));

    [Fact]
    public void Bytes_that_are_no_text_are_no_name()
    {
        byte[] body = Offering(new CheckpointFile("aa", 1));
        int at = body.AsSpan().LastIndexOf("aa"u8);
        body[at] = 0xFF;
        Assert.Throws<MalformedException>(() => SnapshotOffer.Read(body));
    }

    [Fact]
    public void Two_files_of_one_name_are_malformed() =>
        Assert.Throws<MalformedException>(() => SnapshotOffer.Read(Offering(new CheckpointFile("a", 1), new CheckpointFile("b", 2), new CheckpointFile("a", 3))));

    [Fact]
    public void Names_that_differ_in_case_are_two_files() => Assert.Equal(2, SnapshotOffer.Read(Offering(new CheckpointFile("a", 1), new CheckpointFile("A", 2))).Files.Count);

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public void A_negative_length_is_malformed(long length) => Assert.Throws<MalformedException>(() => SnapshotOffer.Read(Offering(new CheckpointFile("a", length))));

    [Fact]
    public void No_file_at_all_is_malformed() => Assert.Throws<MalformedException>(() => SnapshotOffer.Read(Offering()));

    [Theory]
    [InlineData(0xFFFF_FFFFu)]
    [InlineData(0x8000_0000u)]
    [InlineData(100_001u)]
    [InlineData(2u)]
    public void A_count_of_files_that_cannot_be_there_is_refused_before_anything_is_allocated(uint count)
    {
        byte[] body = Offering(new CheckpointFile("a", 1));
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(body.Length - (4 + 4 + 1 + 8)), count);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<MalformedException>(() => SnapshotOffer.Read(body));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Fact]
    public void As_many_files_as_the_limit_says_pass_and_not_one_more()
    {
        CheckpointFile[] files = [.. Enumerable.Range(0, SnapshotOffer.MaxFiles + 1).Select(n => new CheckpointFile($"{n}", 1))];
        Assert.Equal(SnapshotOffer.MaxFiles, SnapshotOffer.Read(Offering(files[..^1])).Files.Count);
        Assert.Contains("100001 files", Assert.Throws<MalformedException>(() => SnapshotOffer.Read(Offering(files))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    public void A_fetch_from_before_the_beginning_is_malformed(int file, long offset) =>
        Assert.Throws<MalformedException>(() => SnapshotFetch.Read(Body(new SnapshotFetch(Samples.SnapshotId, file, offset).ToFrame())));

    [Fact]
    public void Random_bytes_are_malformed_or_a_frame_never_anything_else()
    {
        Random random = new(7);
        foreach (var (body, read) in AllKinds())
        {
            for (int i = 0; i < 20_000; i++)
            {
                byte[] bytes = [.. body];
                for (int changes = random.Next(1, 5); changes > 0; changes--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                if (random.Next(3) == 0) bytes = bytes[..random.Next(bytes.Length)];
                try
                {
                    read(bytes);
                }
                catch (MalformedException)
                {
                }
            }
        }
    }

    private static IEnumerable<(byte[] Body, Action<byte[]> Read)> AllKinds() =>
    [
        (Body(Samples.Offer.ToFrame()), body => SnapshotOffer.Read(body)),
        (Body(Samples.Fetch.ToFrame()), body => SnapshotFetch.Read(body)),
        (Body(Samples.Chunk.ToFrame()), body => SnapshotChunk.Read(body)),
        (Body(Samples.End.ToFrame()), body => SnapshotEnd.Read(body)),
    ];

    private static byte[] Offering(params CheckpointFile[] files) => Body((Samples.Offer with { Files = files }).ToFrame());

    private static byte[] Body(byte[] frame) => frame[PeerFrame.HeaderBytes..];
}
