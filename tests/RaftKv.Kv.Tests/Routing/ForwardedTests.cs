using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Requests that other nodes forward here: the addressee's side (design §4).</summary>
public sealed class ForwardedTests
{
    private static readonly byte[] Key = "key"u8.ToArray();
    private static readonly KvRequest Put = new(KvOperation.Put, Key, "value"u8.ToArray());
    private static readonly KvRequest Get = new(KvOperation.Get, Key);

    [Fact]
    public void A_write_and_a_read_are_served_and_answered_with_the_origins_boot_id_and_number()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(7, Put);
        SentAnswer put = Assert.Single(node.TakeAnswers());
        Assert.Equal((FrontNode.N2, FrontNode.BootOf(FrontNode.N2), 7UL), (put.To, put.OriginBoot, put.Number));
        Assert.Equal((null, "n1", 12UL, 1UL), (put.Response.Error, put.Response.Node, put.Response.Index.Value, put.Response.Revision));
        node.Forwarded(8, Get);
        SentAnswer get = Assert.Single(node.TakeAnswers());
        Assert.Equal(8UL, get.Number);
        Assert.Equal("value"u8, get.Response.Value.Span);
    }

    [Fact]
    public void A_request_that_arrives_twice_is_appended_and_answered_once()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(7, Put);
        node.Forwarded(7, Put);
        node.Forwarded(6, Put); // Late, but new.
        node.Forwarded(6, Put);
        Assert.Equal(13UL, node.Group.LastIndex.Value);
        Assert.Equal([7UL, 6UL], node.TakeAnswers().Select(answer => answer.Number));
    }

    [Fact]
    public void A_request_that_finds_the_inbox_full_is_answered_and_may_come_again_under_another_number()
    {
        FrontNode node = FrontNode.Alone(host: options => options with { MaxInboxItems = 1 });
        node.Host.Worker.OnFrame(FrontNode.N2, FrameKind.Forward, FrontNode.ForwardBody(7, Put));
        node.Host.Worker.OnFrame(FrontNode.N2, FrameKind.Forward, FrontNode.ForwardBody(8, Put));
        SentAnswer refusal = Assert.Single(node.TakeAnswers());
        Assert.Equal((8UL, ErrorCode.Overloaded), (refusal.Number, refusal.Response.Error));
        node.Settle();
        Assert.Equal(7UL, Assert.Single(node.TakeAnswers()).Number);
        Assert.Equal(12UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void A_request_whose_time_is_up_is_not_appended()
    {
        FrontNode node = FrontNode.Alone();
        node.Deliver(FrontNode.N2, FrameKind.Forward, FrontNode.ForwardBody(7, Put, remainingMicros: 0));
        Assert.Equal(11UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void A_request_from_below_the_window_is_dropped()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(100_000, Put);
        node.Forwarded(1, Put);
        Assert.Equal(12UL, node.Group.LastIndex.Value);
        Assert.Equal([100_000UL], node.TakeAnswers().Select(answer => answer.Number));
    }

    [Fact]
    public void Requests_for_or_from_another_life_are_dropped_silently()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(1, Put, addresseeBoot: FrontNode.BootId + 1);
        node.Forwarded(2, Put, originBoot: FrontNode.BootOf(FrontNode.N2) + 1);
        node.Deliver(FrontNode.N3, FrameKind.Forward, FrontNode.ForwardBody(3, Put, 1, originBoot: 0xB003, addresseeBoot: FrontNode.BootId)); // Never shook hands.
        Assert.Equal(11UL, node.Group.LastIndex.Value);
        Assert.Empty(node.Links.Sent);
        Assert.Equal(0, node.Host.Worker.DroppedFrames);
    }

    [Fact]
    public void A_restarted_origin_counts_anew()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(1, Put);
        node.Links.BootIds[FrontNode.N2] = 0xFFF2;
        node.Forwarded(1, Put); // Still the old life's.
        node.Forwarded(1, Put, originBoot: 0xFFF2);
        Assert.Equal(13UL, node.Group.LastIndex.Value);
        Assert.Equal([FrontNode.BootOf(FrontNode.N2), 0xFFF2UL], node.TakeAnswers().Select(answer => answer.OriginBoot));
    }

    [Fact]
    public void Who_does_not_lead_says_so_definitely_and_who_does()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Receive(node.From(3, MessageKind.Heartbeat, 7));
        node.Links.Take();
        node.Forwarded(1, Put);
        KvResponse refused = Assert.Single(node.TakeAnswers()).Response;
        Assert.Equal((ErrorCode.NoLeader, FrontNode.N3, "node n1 does not lead shard 1"), (refused.Error, refused.LeaderHint, refused.Detail));
        node.Forwarded(2, Get, group: 99);
        KvResponse unknown = Assert.Single(node.TakeAnswers()).Response;
        Assert.Equal((ErrorCode.NoLeader, default(NodeId)), (unknown.Error, unknown.LeaderHint));
    }

    [Fact]
    public void A_superseded_write_is_a_definite_answer()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.Forwarded(1, Put);
        node.IsReplacedByN2(term: 7, index: 12, previousTerm: 6);
        SentAnswer answer = Assert.Single(node.TakeAnswers());
        Assert.Equal((1UL, ErrorCode.NoLeader), (answer.Number, answer.Response.Error));
    }

    /// <summary>Deposed is no proof, so nothing is said; the origin calls it unknown at its deadline.</summary>
    [Fact]
    public void A_write_whose_leader_was_deposed_is_not_answered()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.Forwarded(1, Put);
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        node.Tick();
        Assert.Empty(node.TakeAnswers());
    }

    [Fact]
    public void A_read_dropped_with_the_leadership_is_a_definite_answer()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.Forwarded(1, Get);
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        Assert.Same(ErrorCode.NoLeader, Assert.Single(node.TakeAnswers()).Response.Error);
    }

    [Fact]
    public void A_write_beyond_what_may_be_uncommitted_is_answered_as_overloaded()
    {
        FrontNode node = FrontNode.Alone(host: options => options with { MaxUncommittedBytes = 100 });
        KvRequest large = Put with { Value = new byte[200] };
        ulong boot = FrontNode.BootOf(FrontNode.N2);
        node.Host.Worker.OnFrame(FrontNode.N2, FrameKind.Forward, FrontNode.ForwardBody(1, large, 1, boot, FrontNode.BootId));
        node.Host.Worker.OnFrame(FrontNode.N2, FrameKind.Forward, FrontNode.ForwardBody(2, large, 1, boot, FrontNode.BootId));
        node.Settle();
        Assert.Equal([(2UL, ErrorCode.Overloaded), (1UL, null)], node.TakeAnswers().Select(answer => (answer.Number, answer.Response.Error)));
    }

    /// <summary>The origin's map is a hint; the shard decides at the entry's index (design §8).</summary>
    [Fact]
    public void A_key_of_another_shard_is_refused_at_apply()
    {
        FrontNode node = FrontNode.Alone(shards: 2);
        node.Forwarded(1, Put with { Key = node.KeyIn(1) }, group: 2);
        node.Forwarded(2, Get with { Key = node.KeyIn(1) }, group: 2);
        SentAnswer[] answers = node.TakeAnswers();
        Assert.All(answers, answer => Assert.Same(ErrorCode.WrongShard, answer.Response.Error));
        Assert.Equal(2, answers.Length);
    }

    [Fact]
    public void Malformed_frames_are_dropped_and_counted_and_nothing_else()
    {
        FrontNode node = FrontNode.Alone();
        ulong boot = FrontNode.BootOf(FrontNode.N2);
        byte[] forward = FrontNode.ForwardBody(1, Put, 1, boot, FrontNode.BootId);
        List<byte[]> malformed = [.. Enumerable.Range(0, forward.Length).Select(length => forward[..length]), [.. forward, 0]];
        malformed.Add([2, .. forward[1..]]);
        malformed.Add(FrontNode.ForwardBody(0, Put, 1, boot, FrontNode.BootId));
        malformed.Add(FrontNode.ForwardBody(1, Put, 1, boot, FrontNode.BootId, hops: 4));
        malformed.Add(FrontNode.ForwardBody(1, Put with { Key = default }, 1, boot, FrontNode.BootId));
        foreach (byte[] body in malformed)
        {
            Assert.Throws<MalformedException>(() => node.Front.OnPeerFrame(node.Now, FrontNode.N2, FrameKind.Forward, body));
            node.Deliver(FrontNode.N2, FrameKind.Forward, body);
        }

        Assert.Throws<MalformedException>(() => node.Front.OnPeerFrame(node.Now, FrontNode.N2, FrameKind.Hello, forward));
        Assert.Throws<MalformedException>(() => node.Front.OnPeerFrame(node.Now, FrontNode.N2, (FrameKind)200, forward));
        Assert.Equal(malformed.Count, node.Host.Worker.DroppedFrames);
        Assert.Equal(11UL, node.Group.LastIndex.Value);
        Assert.Empty(node.Links.Sent);
        node.Deliver(FrontNode.N2, FrameKind.Forward, forward); // None of them has used up the number.
        Assert.Single(node.TakeAnswers());
    }

    [Fact]
    public void Random_bytes_are_malformed_or_ignored_never_anything_else()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put();
        Random random = new(8);
        byte[] valid = FrontNode.ForwardBody(1, Put, 1, 2, 3);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] body = new byte[random.Next(200)];
            random.NextBytes(body);
            if (random.Next(2) == 0) valid.AsSpan(0, Math.Min(random.Next(valid.Length), body.Length)).CopyTo(body);
            try
            {
                node.Front.OnPeerFrame(node.Now, FrontNode.N2, i % 2 == 0 ? FrameKind.Forward : FrameKind.Answer, body);
            }
            catch (MalformedException)
            {
            }
        }

        Assert.Null(put.Response);
        Assert.Empty(node.TakeAnswers());
    }

    [Fact]
    public void Truncated_answers_are_malformed_and_leave_the_call_waiting()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put();
        ByteWriter writer = new();
        writer.U8(1);
        writer.U64(FrontNode.BootId);
        writer.U64(1);
        new KvResponse { Node = "n2" }.Write(writer);
        byte[] answer = writer.ToArray();
        for (int length = 0; length < answer.Length; length++)
            Assert.Throws<MalformedException>(() => node.Front.OnPeerFrame(node.Now, FrontNode.N2, FrameKind.Answer, answer.AsMemory(0, length)));
        Assert.Throws<MalformedException>(() => node.Front.OnPeerFrame(node.Now, FrontNode.N2, FrameKind.Answer, (byte[])[.. answer, 0]));
        Assert.Null(put.Response);
        node.Deliver(FrontNode.N2, FrameKind.Answer, answer);
        Assert.Null(put.Ended.Error);
    }
}
