using System.Buffers;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Wire;

/// <summary>The bytes of protocol version 1. Nodes of this version speak them to each other in every later one.</summary>
public sealed class WireGoldenTests
{
    private const string File = "peer-frames-v1.txt";

    [Fact]
    public void What_is_written_is_what_version_1_wrote() => GoldenHex.AssertEqual(File, Cases());

    [Fact]
    public void Every_kind_of_frame_is_in_the_file()
    {
        foreach (var (name, bytes) in GoldenHex.Load(File))
        {
            if (!name.StartsWith("frame ", StringComparison.Ordinal)) continue;
            ReadOnlySequence<byte> buffer = new(bytes);
            Assert.True(PeerFrame.TryRead(ref buffer, out FrameKind kind, out _), name);
            Assert.Equal($"frame {kind}", name);
        }

        Assert.Equal(Enum.GetValues<FrameKind>().Select(kind => $"frame {kind}").Order(StringComparer.Ordinal), GoldenHex.Load(File).Keys.Where(name => name.StartsWith("frame ", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_version_1_wrote_is_read_as_what_it_meant()
    {
        Dictionary<string, byte[]> golden = GoldenHex.Load(File);
        Assert.Equal(Samples.Hello, Hello.Read(golden["frame Hello"][PeerFrame.HeaderBytes..]));
        ByteReader reader = new(golden["configuration"]);
        Assert.Equal(Samples.Joint, ConfigurationCodec.Read(ref reader));
        ByteReader messages = new(golden["frame RaftMessages"].AsMemory(PeerFrame.HeaderBytes));
        foreach (Message message in Samples.OneOfEachKind())
        {
            Samples.AssertSame(message, Assert.NotNull(RaftMessageCodec.Read(ref messages, out GroupId group)));
            Assert.Equal(0x0A0BUL, group.Value);
        }

        messages.ExpectEnd();
        Samples.AssertSame(Samples.Offer, SnapshotOffer.Read(golden["frame SnapshotOffer"].AsMemory(PeerFrame.HeaderBytes)));
        Assert.Equal(Samples.Fetch, SnapshotFetch.Read(golden["frame SnapshotFetch"].AsMemory(PeerFrame.HeaderBytes)));
        Samples.AssertSame(Samples.Chunk, SnapshotChunk.Read(golden["frame SnapshotChunk"].AsMemory(PeerFrame.HeaderBytes)));
        Assert.Equal(Samples.End, SnapshotEnd.Read(golden["frame SnapshotEnd"].AsMemory(PeerFrame.HeaderBytes)));
    }

    private static IEnumerable<(string Name, byte[] Bytes)> Cases()
    {
        ByteWriter writer = new();
        Samples.Hello.Write(writer);
        yield return ("frame Hello", writer.ToArray());

        yield return ("frame RaftMessages", Frame(FrameKind.RaftMessages, Some.Body([.. Samples.OneOfEachKind().Select(message => (0x0A0BUL, message))])));
        // What stands in these bodies belongs to RaftKv.Kv, which has golden bytes of its own.
        yield return ("frame Forward", Frame(FrameKind.Forward, "forward"u8));
        yield return ("frame Answer", Frame(FrameKind.Answer, []));

        yield return ("frame NodeHeartbeat", NodeWatch.Heartbeat(0x4142434445464748, isStalled: true, isLeaving: false, losses: 3));
        yield return ("frame SnapshotOffer", Samples.Offer.ToFrame());
        yield return ("frame SnapshotFetch", Samples.Fetch.ToFrame());
        yield return ("frame SnapshotChunk", Samples.Chunk.ToFrame());
        yield return ("frame SnapshotEnd", Samples.End.ToFrame());

        writer.Clear();
        ConfigurationCodec.Write(writer, Samples.Joint);
        yield return ("configuration", writer.ToArray());

        WriteBatch batch = new();
        batch.Put("key"u8, "value"u8);
        batch.Delete("gone"u8);
        batch.Put([0x00, 0xFF], []);
        yield return ("write batch", batch.Bytes.ToArray());
    }

    private static byte[] Frame(FrameKind kind, ReadOnlySpan<byte> body)
    {
        ByteWriter writer = new();
        PeerFrame.Begin(writer, kind);
        writer.Raw(body);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }
}
