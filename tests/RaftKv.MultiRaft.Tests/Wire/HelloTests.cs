using System.Buffers;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Wire;

public sealed class HelloTests
{
    private static readonly Hello Own = new(2, 4, 0xC1, 0xD1, new NodeId(1), 11, 111, default, "n1");
    private static readonly Hello Other = new(1, 3, 0xC1, 0xD1, new NodeId(2), 22, 222, new NodeId(1), "n2");

    [Theory]
    [InlineData("")]
    [InlineData("n1")]
    [InlineData("a-name.with_everything-9")]
    public void A_hello_can_be_read_back(string name)
    {
        Hello hello = Samples.Hello with { Name = name };
        Assert.Equal(hello, Hello.Read(Body(hello)));
    }

    [Fact]
    public void Every_truncation_is_malformed_and_what_a_newer_node_adds_is_ignored()
    {
        byte[] body = Body(Samples.Hello);
        int beforeDisk = body.Length - 8;
        int beforeChannel = beforeDisk - 1;
        int beforeUrl = beforeChannel - 4 - Samples.Hello.ClientUrl.Length;
        for (int length = 0; length < body.Length; length++)
        {
            if (length == beforeUrl || length == beforeChannel || length == beforeDisk) continue;
            Assert.Throws<MalformedException>(() => Hello.Read(body[..length]));
        }

        Assert.Equal(Samples.Hello, Hello.Read([.. body, 1, 2, 3]));
        // Older nodes'.
        Assert.Equal(Samples.Hello with { ClientUrl = "", MetDiskId = 0 }, Hello.Read(body[..beforeUrl]));
        Assert.Equal(Samples.Hello with { MetDiskId = 0 }, Hello.Read(body[..beforeDisk]));
    }

    [Fact]
    public void A_hello_says_what_the_connection_is_for_and_one_that_does_not_means_messages()
    {
        foreach (PeerChannel channel in Enum.GetValues<PeerChannel>())
            Assert.Equal(channel, Hello.Read(Body(Samples.Hello with { Channel = channel })).Channel);
        byte[] body = Body(Samples.Hello with { Channel = PeerChannel.Bulk });
        Assert.Equal(PeerChannel.Messages, Hello.Read(body[..^9]).Channel);
        body[^9] = 2;
        Assert.Contains("channel 2", Assert.Throws<MalformedException>(() => Hello.Read(body)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Whoever_does_not_begin_with_the_magic_is_no_peer() =>
        Assert.Contains("not a RaftKv peer", Assert.Throws<MalformedException>(() => Hello.Read([.. "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"u8])).Message, StringComparison.Ordinal);

    [Fact]
    public void Random_bytes_are_malformed_or_a_hello_never_anything_else()
    {
        Random random = new(6);
        byte[] valid = Body(Samples.Hello);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(2 * valid.Length)];
            random.NextBytes(bytes);
            valid.AsSpan(0, Math.Min(random.Next(valid.Length), bytes.Length)).CopyTo(bytes);
            try
            {
                Hello.Read(bytes);
            }
            catch (MalformedException)
            {
            }
        }
    }

    [Fact]
    public void A_node_of_this_cluster_that_shares_a_protocol_is_welcome()
    {
        Assert.Null(Hello.Refusal(Own, Other));
        Assert.Null(Hello.Refusal(Own, Other with { Addressee = default })); // An answer names nobody.
    }

    [Theory]
    [InlineData(4, 9, true)]
    [InlineData(1, 2, true)]
    [InlineData(3, 3, true)]
    [InlineData(5, 9, false)]
    [InlineData(1, 1, false)]
    public void Protocol_ranges_must_meet(int min, int max, bool isWelcome)
    {
        string? refusal = Hello.Refusal(Own, Other with { ProtocolMin = (ushort)min, ProtocolMax = (ushort)max });
        if (isWelcome) Assert.Null(refusal);
        else Assert.Contains($"protocol {min}–{max}, this node 2–4", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_refusal_says_in_one_line_what_differs()
    {
        AssertRefused(Other with { ClusterId = 0xC2 }, "belongs to cluster 00000000000000c2, this is cluster 00000000000000c1");
        AssertRefused(Other with { MapDigest = 0xD2 }, "or for lease reads another election timeout (digest 00000000000000d2, here 00000000000000d1)");
        AssertRefused(Other with { Addressee = new NodeId(3) }, "means to reach node 0000000000000003, this is n1 (0000000000000001)");
        AssertRefused(Other with { Node = Own.Node }, "has the same node id as this node");
    }

    /// <summary>Both ends decide alike, whoever dialled: else one would think the link open and the other not.</summary>
    [Fact]
    public void A_refusal_by_what_both_have_in_common_is_mutual()
    {
        Hello[] variants = [Other, Other with { ClusterId = 1 }, Other with { MapDigest = 1 }, Other with { ProtocolMin = 9, ProtocolMax = 9 }, Other with { Node = Own.Node }];
        foreach (Hello variant in variants)
            Assert.Equal(Hello.Refusal(Own, variant with { Addressee = default }) is null, Hello.Refusal(variant with { Addressee = default }, Own) is null);
    }

    private static void AssertRefused(Hello other, string why)
    {
        string? refusal = Hello.Refusal(Own, other);
        Assert.Contains(why, refusal, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", refusal, StringComparison.Ordinal);
    }

    private static byte[] Body(Hello hello)
    {
        ByteWriter writer = new();
        hello.Write(writer);
        ReadOnlySequence<byte> buffer = new(writer.ToArray());
        Assert.True(PeerFrame.TryRead(ref buffer, out FrameKind kind, out byte[] body));
        Assert.Equal(FrameKind.Hello, kind);
        return body;
    }
}
