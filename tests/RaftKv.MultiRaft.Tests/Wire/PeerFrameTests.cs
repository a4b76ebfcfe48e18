using System.Buffers;
using System.Buffers.Binary;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.MultiRaft.Tests.Wire;

public sealed class PeerFrameTests
{
    [Theory]
    [InlineData(FrameKind.Hello, 0)]
    [InlineData(FrameKind.RaftMessages, 1)]
    [InlineData(FrameKind.Forward, 7)]
    [InlineData(FrameKind.Answer, 70_000)]
    public void A_frame_can_be_read_back(FrameKind kind, int length)
    {
        byte[] body = BodyOf(length);
        ReadOnlySequence<byte> buffer = new(Frame(kind, body));
        Assert.True(PeerFrame.TryRead(ref buffer, out FrameKind read, out byte[] back));
        Assert.Equal(kind, read);
        Assert.Equal(body, back);
        Assert.True(buffer.IsEmpty);
    }

    [Fact]
    public void Frames_one_after_another_are_taken_off_one_by_one_whatever_pieces_they_come_in()
    {
        byte[] stream = [.. Frame(FrameKind.Forward, [1, 2, 3]), .. Frame(FrameKind.Answer, []), .. Frame(FrameKind.RaftMessages, [9]), 1, 2];
        for (int piece = 1; piece <= stream.Length; piece++)
        {
            ReadOnlySequence<byte> buffer = InPieces(stream, piece);
            List<string> read = [];
            while (PeerFrame.TryRead(ref buffer, out FrameKind kind, out byte[] body)) read.Add($"{kind} {Convert.ToHexString(body)}");
            Assert.Equal(["Forward 010203", "Answer ", "RaftMessages 09"], read);
            Assert.Equal(2, buffer.Length);
        }
    }

    [Fact]
    public void A_frame_that_is_cut_short_is_not_whole_yet_and_nothing_is_taken()
    {
        byte[] frame = Frame(FrameKind.Forward, BodyOf(40));
        for (int length = 0; length < frame.Length; length++)
        {
            ReadOnlySequence<byte> buffer = new(frame.AsMemory(0, length));
            Assert.False(PeerFrame.TryRead(ref buffer, out _, out byte[] body));
            Assert.Empty(body);
            Assert.Equal(length, buffer.Length);
        }
    }

    [Fact]
    public void Every_flipped_bit_is_refused_or_leaves_the_frame_incomplete()
    {
        byte[] frame = Frame(FrameKind.RaftMessages, Some.Body((3UL, Samples.Append)));
        for (int bit = 0; bit < frame.Length * 8; bit++)
        {
            byte[] damaged = [.. frame];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            ReadOnlySequence<byte> buffer = new(damaged);
            try
            {
                Assert.False(PeerFrame.TryRead(ref buffer, out _, out _), $"bit {bit % 8} of byte {bit / 8} was not noticed");
            }
            catch (MalformedException)
            {
            }
        }
    }

    /// <summary>The length is not under the checksum: what follows on the stream must not complete a frame of another length.</summary>
    [Fact]
    public void A_flipped_length_is_refused_also_when_more_bytes_follow()
    {
        byte[] frame = Frame(FrameKind.RaftMessages, BodyOf(200));
        byte[] more = BodyOf(300_000);
        for (int bit = 0; bit < 18; bit++)
        {
            byte[] damaged = [.. frame, .. more];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            ReadOnlySequence<byte> buffer = new(damaged);
            Assert.Throws<MalformedException>(() => PeerFrame.TryRead(ref buffer, out _, out _));
        }
    }

    [Theory]
    [InlineData(PeerFrame.MaxBodyBytes + 1u)]
    [InlineData(0x7FFF_FFFFu)]
    [InlineData(0x8000_0000u)]
    [InlineData(0xFFFF_FFFFu)]
    public void A_length_above_the_limit_is_refused_before_anything_is_allocated(uint length)
    {
        byte[] header = Frame(FrameKind.Forward, [])[..PeerFrame.HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, length);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReadOnlySequence<byte> buffer = new(header);
        Assert.Throws<MalformedException>(() => PeerFrame.TryRead(ref buffer, out _, out _));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Fact]
    public void A_length_at_the_limit_waits_for_its_bytes_without_allocating_them()
    {
        byte[] header = Frame(FrameKind.Forward, [])[..PeerFrame.HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, PeerFrame.MaxBodyBytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReadOnlySequence<byte> buffer = new(header);
        Assert.False(PeerFrame.TryRead(ref buffer, out _, out _));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Fact]
    public void Another_format_version_is_refused_from_the_header_alone()
    {
        byte[] header = Frame(FrameKind.Forward, BodyOf(100))[..PeerFrame.HeaderBytes];
        header[9] = PeerFrame.FormatVersion + 1;
        ReadOnlySequence<byte> buffer = new(header);
        Assert.Contains("format 2", Assert.Throws<MalformedException>(() => PeerFrame.TryRead(ref buffer, out _, out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Random_bytes_are_malformed_or_incomplete_never_anything_else()
    {
        Random random = new(1);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            if (bytes.Length > 4 && random.Next(2) == 0) bytes[1] = bytes[2] = bytes[3] = 0; // A length that fits.
            if (bytes.Length > 9) bytes[9] = PeerFrame.FormatVersion;
            ReadOnlySequence<byte> buffer = InPieces(bytes, 5);
            try
            {
                PeerFrame.TryRead(ref buffer, out _, out _);
            }
            catch (MalformedException)
            {
            }
        }
    }

    private static byte[] Frame(FrameKind kind, byte[] body)
    {
        ByteWriter writer = new();
        PeerFrame.Begin(writer, kind);
        writer.Raw(body);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    private static byte[] BodyOf(int length)
    {
        byte[] body = new byte[length];
        new Random(length).NextBytes(body);
        return body;
    }

    private static ReadOnlySequence<byte> InPieces(byte[] bytes, int pieceBytes)
    {
        Piece first = new(bytes.AsMemory(0, Math.Min(pieceBytes, bytes.Length)), 0);
        Piece last = first;
        for (int at = pieceBytes; at < bytes.Length; at += pieceBytes) last = last.Append(bytes.AsMemory(at, Math.Min(pieceBytes, bytes.Length - at)));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long runningIndex)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        public Piece Append(ReadOnlyMemory<byte> memory)
        {
            Piece next = new(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
