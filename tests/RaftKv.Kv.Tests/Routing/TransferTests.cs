using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Transfers of leadership as the front routes them, and what becomes of requests meanwhile.</summary>
public sealed class TransferTests
{
    [Fact]
    public void A_transfer_at_the_leader_answers_who_leads_now()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.HearFromN2();
        TestCall transfer = node.Call(KvRequest.TransferTo(FrontNode.N2));
        Assert.Null(transfer.Response);
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        Assert.Equal((null, FrontNode.N2, 7UL), (transfer.Ended.Error, transfer.Ended.LeaderHint, transfer.Ended.Term.Value));
    }

    [Fact]
    public void A_transfer_elsewhere_is_forwarded_once_and_its_answer_handed_on()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall transfer = node.Call(KvRequest.TransferTo(FrontNode.N1));
        SentForward sent = Assert.Single(node.TakeForwards());
        Assert.Equal(FrontNode.N2, sent.To);
        node.After(600_000); // Others would be repeated by now.
        Assert.Empty(node.TakeForwards());
        node.Answered(FrontNode.N2, sent.Number, new KvResponse { LeaderHint = FrontNode.N1, Term = new Term(7) });
        Assert.Equal(FrontNode.N1, transfer.Ended.LeaderHint);
    }

    [Fact]
    public void A_forwarded_transfer_is_begun_here_and_its_end_sent_back()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.HearFromN2();
        node.Forwarded(1, KvRequest.TransferTo(default));
        Assert.Equal(new ReplicaId(2), node.Group.TransferTarget);
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        Assert.Equal(FrontNode.N2, Assert.Single(node.TakeAnswers()).Response.LeaderHint);
    }

    [Fact]
    public void A_transfer_without_an_answer_is_unknown_at_the_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall transfer = node.Call(KvRequest.TransferTo(default));
        node.After(5_000_001);
        Assert.Equal(ErrorCode.TransferUnknown, transfer.Ended.Error);
    }

    [Fact]
    public void A_transfer_that_nobody_leads_to_answer_is_definitely_not_begun()
    {
        FrontNode node = new(ShardMap.Initial(["n1", "n2", "n3"], 1, 3));
        TestCall transfer = node.Call(KvRequest.TransferTo(default));
        node.After(5_000_001);
        Assert.Equal(ErrorCode.NoLeader, transfer.Ended.Error);
    }

    [Fact]
    public void A_node_that_holds_no_voter_is_refused_by_the_leader()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        Assert.Equal(ErrorCode.NoSuchNode, node.Call(KvRequest.TransferTo(FrontNode.NodeOf("n7"))).Ended.Error);
    }

    [Fact]
    public void A_node_that_is_down_is_refused_by_the_leader_and_leadership_stays()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall transfer = node.Call(KvRequest.TransferTo(FrontNode.N2));
        Assert.Equal(ErrorCode.TransferFailed, transfer.Ended.Error);
        Assert.Contains("is not heard from", transfer.Ended.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_write_during_a_transfer_goes_to_the_new_leader_as_soon_as_it_is_known()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.HearFromN2();
        node.Call(KvRequest.TransferTo(FrontNode.N2));
        TestCall put = node.Put();
        Assert.Empty(node.TakeForwards());
        node.Receive(node.From(2, MessageKind.Heartbeat, 7)); // The clock stands still: no tick.
        Assert.Equal(FrontNode.N2, Assert.Single(node.TakeForwards()).To);
        Assert.Null(put.Response);
    }

    [Fact]
    public void A_write_forwarded_here_during_a_transfer_is_refused_definitely_and_shown_where_to_go()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.HearFromN2();
        node.Call(KvRequest.TransferTo(FrontNode.N2));
        node.Links.Take();
        node.Forwarded(1, new KvRequest(KvOperation.Put, node.KeyIn(1)));
        KvResponse answer = Assert.Single(node.TakeAnswers()).Response;
        Assert.Equal((ErrorCode.NoLeader, FrontNode.N2), (answer.Error, answer.LeaderHint));
    }

    [Fact]
    public void A_call_refused_by_the_old_leader_goes_on_at_once_when_the_new_one_is_known_here_already()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put();
        SentForward sent = Assert.Single(node.TakeForwards());
        node.Receive(node.From(3, MessageKind.Heartbeat, 7));
        node.Answered(FrontNode.N2, sent.Number, KvResponse.Fail(ErrorCode.NoLeader, "it leads no more"));
        Assert.Equal(FrontNode.N3, Assert.Single(node.TakeForwards()).To);
        Assert.Null(put.Response);
    }
}
