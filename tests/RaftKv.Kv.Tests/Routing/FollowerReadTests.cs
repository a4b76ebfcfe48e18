using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>A node whose replica follows serves reads itself, at an index that the leader vouches for (design §6: follower reads by forwarding ReadIndex).</summary>
public sealed class FollowerReadTests
{
    [Fact]
    public void The_leader_is_asked_for_the_index_and_the_read_served_here()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall get = node.Get();
        Message question = Question(node);
        Assert.Null(get.Response);
        node.Receive(Answer(node, question, 10));
        Assert.Equal((null, "n1", 10UL, false), (get.Ended.Error, get.Ended.Node, get.Ended.Index.Value, get.Ended.IsByLease));
        Assert.Empty(node.TakeForwards());
    }

    [Fact]
    public void It_waits_until_the_index_is_applied_here()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall get = node.Get();
        node.Receive(Answer(node, Question(node), 11));
        Assert.Null(get.Response);
        node.IsReplacedByN2(6, 11, previousTerm: 5);
        Assert.Equal(11UL, get.Ended.Index.Value);
    }

    [Fact]
    public void A_follower_that_does_not_get_there_in_time_leaves_it_to_the_leader()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall get = node.Get();
        node.Receive(Answer(node, Question(node), 11));
        node.After(500_000);
        SentForward forward = Assert.Single(node.TakeForwards());
        Assert.Equal(FrontNode.N2, forward.To);
        node.Answered(FrontNode.N2, forward.Number, new KvResponse { Node = "n2", Index = new LogIndex(11) });
        Assert.Equal("n2", get.Ended.Node);
        node.IsReplacedByN2(6, 11, previousTerm: 5); // What waited here comes too late, and completes nothing twice.
    }

    [Fact]
    public void A_read_on_its_way_to_a_leader_that_is_deposed_goes_to_the_next_one()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall get = node.Get();
        Message question = Question(node);
        node.Receive(node.From(3, MessageKind.Heartbeat, 7));
        node.Receive(Answer(node, question, 10)); // Of an older term.
        node.Tick();
        Assert.Equal(FrontNode.N3, Assert.Single(node.TakeForwards()).To);
        Assert.Null(get.Response);
    }

    [Fact]
    public void A_read_that_its_leader_does_not_answer_in_time_says_so_and_one_without_a_leader_says_that()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall get = node.Get(deadlineMicros: 300_000);
        node.After(300_000);
        Assert.Same(ErrorCode.Deadline, get.Ended.Error);

        FrontNode leaderless = new(ShardMap.Initial(["n1", "n2", "n3"], 1, 3));
        TestCall other = leaderless.Get(deadlineMicros: 300_000);
        leaderless.After(300_000);
        Assert.Same(ErrorCode.NoLeader, other.Ended.Error);
    }

    [Fact]
    public void Writes_and_reads_by_lease_go_to_the_leader()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Put();
        node.GetOfLeader();
        Assert.Equal(2, node.TakeForwards().Length);
    }

    private static Message Question(FrontNode node) => Assert.Single(node.TakeRaftMessages(), message => message.Kind == MessageKind.ReadIndex);

    private static Message Answer(FrontNode node, in Message question, ulong index) =>
        node.From(2, MessageKind.ReadIndexResponse, 6) with { Index = new LogIndex(index), ReadRound = question.ReadRound };
}
