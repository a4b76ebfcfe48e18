using System.Buffers.Binary;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Wire;

public sealed class RaftMessageCodecTests
{
    private const int KindOffset = 28;
    private const int FlagsOffset = 29;
    private const int EntryCountOffset = 78;

    [Fact]
    public void Messages_can_be_read_back()
    {
        Random random = new(2);
        for (int i = 0; i < 2_000; i++)
        {
            (ulong Group, Message Message)[] sent = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => (Samples.Number(random), Samples.RandomMessage(random)))];
            ByteReader reader = new(Some.Body(sent));
            foreach (var (group, message) in sent)
            {
                Samples.AssertSame(message, Assert.NotNull(RaftMessageCodec.Read(ref reader, out GroupId read)));
                Assert.Equal(group, read.Value);
            }

            reader.ExpectEnd();
        }
    }

    [Fact]
    public void Entries_follow_the_index_of_the_message()
    {
        ByteReader reader = new(Some.Body((1UL, Samples.Append)));
        Message read = Assert.NotNull(RaftMessageCodec.Read(ref reader, out _));
        Assert.Equal([42UL, 43UL, 44UL], read.Entries.ToArray().Select(entry => entry.Index.Value));
    }

    [Fact]
    public void Every_truncation_is_malformed()
    {
        byte[] body = Some.Body((1UL, Samples.Append));
        for (int length = 0; length < body.Length; length++) Assert.Throws<MalformedException>(() => ReadOne(body.AsMemory(0, length)));
        ReadOne(body);
    }

    [Theory]
    [InlineData(0x7FFF_FFFFu)]
    [InlineData(0x8000_0000u)]
    [InlineData(0xFFFF_FFFFu)]
    [InlineData(4u)]
    public void A_count_of_entries_that_cannot_be_there_is_refused_before_anything_is_allocated(uint count)
    {
        byte[] body = Some.Body((1UL, Samples.Append));
        Assert.Equal(3u, BinaryPrimitives.ReadUInt32LittleEndian(body.AsSpan(EntryCountOffset)));
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(EntryCountOffset), count);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<MalformedException>(() => ReadOne(body));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(255)]
    public void An_unknown_kind_of_entry_is_malformed(byte kind)
    {
        byte[] body = Some.Body((1UL, Samples.Append));
        body[EntryCountOffset + 4 + 8] = kind;
        Assert.Throws<MalformedException>(() => ReadOne(body));
    }

    /// <summary>A newer node's: whatever stands in it, it is skipped by its length, and what follows is read.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(255)]
    public void A_message_of_an_unknown_kind_is_skipped_by_its_length(byte kind)
    {
        byte[] unknown = Some.Body((1UL, Samples.Append));
        unknown[KindOffset] = kind;
        unknown.AsSpan(FlagsOffset + 1).Fill(0xEE);
        byte[] body = [.. Some.Body((5UL, Samples.Append)), .. unknown, .. Some.Body((7UL, Samples.Append))];
        ByteReader reader = new(body);
        Assert.NotNull(RaftMessageCodec.Read(ref reader, out _));
        Assert.Null(RaftMessageCodec.Read(ref reader, out _));
        Samples.AssertSame(Samples.Append, Assert.NotNull(RaftMessageCodec.Read(ref reader, out GroupId group)));
        Assert.Equal(7UL, group.Value);
        reader.ExpectEnd();
    }

    [Fact]
    public void What_a_newer_node_adds_behind_the_entries_or_says_by_other_flags_is_ignored()
    {
        byte[] body = [.. Some.Body((1UL, Samples.Append)), 1, 2, 3];
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)body.Length - 4);
        body[FlagsOffset] = 0xFC;
        body = [.. body, .. Some.Body((7UL, Samples.Append))];
        ByteReader reader = new(body);
        Samples.AssertSame(Samples.Append, Assert.NotNull(RaftMessageCodec.Read(ref reader, out _)));
        Samples.AssertSame(Samples.Append, Assert.NotNull(RaftMessageCodec.Read(ref reader, out _)));
        reader.ExpectEnd();
    }

    [Fact]
    public void A_buffer_for_entries_grows_once_and_holds_the_message_read_last()
    {
        Message shorter = Samples.Append with { Entries = Samples.Append.Entries[..1] };
        ByteReader reader = new((byte[])[.. Some.Body((1UL, Samples.Append)), .. Some.Body((1UL, shorter)), .. Some.Body((1UL, Samples.Append))]);
        Entry[] buffer = [];
        Samples.AssertSame(Samples.Append, Assert.NotNull(RaftMessageCodec.Read(ref reader, out _, ref buffer)));
        Entry[] grown = buffer;
        Samples.AssertSame(shorter, Assert.NotNull(RaftMessageCodec.Read(ref reader, out _, ref buffer)));
        Samples.AssertSame(Samples.Append, Assert.NotNull(RaftMessageCodec.Read(ref reader, out _, ref buffer)));
        Assert.Same(grown, buffer);
    }

    /// <summary>The length bounds the message: a reader that went beyond it would take the next message's bytes for entries.</summary>
    [Fact]
    public void A_message_shorter_than_its_fields_is_malformed_also_when_others_follow()
    {
        byte[] one = Some.Body((1UL, Samples.Append));
        for (uint length = 0; length < one.Length - 4; length++)
        {
            byte[] body = [.. one, .. one];
            BinaryPrimitives.WriteUInt32LittleEndian(body, length);
            Assert.Throws<MalformedException>(() => ReadOne(body));
        }
    }

    [Fact]
    public void Random_bytes_are_malformed_or_a_message_never_anything_else()
    {
        Random random = new(3);
        byte[] valid = Some.Body((1UL, Samples.Append));
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(2 * valid.Length)];
            random.NextBytes(bytes);
            // Half of them begin well, so that the later fields are reached.
            if (random.Next(2) == 0) valid.AsSpan(0, Math.Min(random.Next(valid.Length), bytes.Length)).CopyTo(bytes);
            try
            {
                ReadOne(bytes);
            }
            catch (MalformedException)
            {
            }
        }
    }

    private static Message? ReadOne(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        return RaftMessageCodec.Read(ref reader, out _);
    }
}
