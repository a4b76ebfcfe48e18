using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

public sealed class PeerOutboxTests
{
    private const int FlushBytes = 1024 * 1024;
    private readonly FakeLinks _links = new(new Trace());

    [Fact]
    public void One_turns_messages_of_many_groups_are_one_frame_per_peer()
    {
        PeerOutbox outbox = new(_links);
        RaftGroup[] groups = [.. Enumerable.Range(1, 10).Select(n => Some.Group((ulong)n, 3))];
        foreach (RaftGroup group in groups)
            foreach (ulong to in (ReadOnlySpan<ulong>)[2, 3]) outbox.Add(group.Group, Some.Node((int)to), Some.Message(MessageKind.Heartbeat, 1, to, 5));
        Assert.Empty(_links.Sent);
        outbox.Flush();
        SentFrame[] sent = _links.Take();
        Assert.Equal([Some.Node(2), Some.Node(3)], sent.Select(frame => frame.To));
        Assert.All(sent, frame => Assert.Equal(groups.Select(group => group.Group), frame.Raft().Select(message => message.Group)));
        outbox.Flush();
        Assert.Empty(_links.Take());
    }

    [Fact]
    public void A_frame_leaves_before_the_turn_ends_once_it_is_1_MiB()
    {
        PeerOutbox outbox = new(_links);
        GroupId group = new(1);
        for (ulong index = 11; index < 41; index++) outbox.Add(group, Some.Node(2), Some.Message(MessageKind.Append, 1, 2, 5, index - 1, 5, 10, Some.Entry(index, payloadBytes: 200_000)));
        outbox.Add(group, Some.Node(3), Some.Message(MessageKind.Heartbeat, 1, 3, 5));
        Assert.Equal(5, _links.Sent.Count);
        Assert.All(_links.Sent, frame => Assert.InRange(frame.Body.Length + PeerFrame.HeaderBytes, FlushBytes, FlushBytes + 200_200));
        outbox.Flush();
        SentFrame[] sent = _links.Take();
        Assert.Equal(6, sent.Length); // All 30 appends were gone already; the heartbeat to node 3 was not.
        Assert.Equal(Enumerable.Range(10, 30).Select(index => (ulong)index), sent.Where(frame => frame.To == Some.Node(2)).SelectMany(frame => frame.Raft()).Select(message => message.Message.Index.Value));
        Assert.Equal(["s1 r1>r3 Heartbeat t5 commit 0 round 0"], sent.Where(frame => frame.To == Some.Node(3)).SelectMany(frame => frame.Messages()));
    }

    [Fact]
    public void A_single_message_above_1_MiB_is_a_frame_of_its_own()
    {
        PeerOutbox outbox = new(_links);
        outbox.Add(new GroupId(1), Some.Node(2), Some.Message(MessageKind.Append, 1, 2, 5, 10, 5, 10, Some.Entry(11, payloadBytes: 16 * FlushBytes)));
        Assert.Equal(16 * FlushBytes, Assert.Single(Assert.Single(_links.Take()).Raft()).Message.Entries.Span[0].Payload.Length);
        outbox.Flush();
        Assert.Empty(_links.Take());
    }
}
