using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>A chunk of a list on its way: here and forwarded, and what a shard cannot answer.</summary>
public sealed class ListCallTests
{
    private static readonly KvListRequest All = new(HashRange.Full, default, default, 0, 100, 10_000);

    [Fact]
    public void A_chunk_is_read_at_an_index_that_it_names()
    {
        FrontNode node = FrontNode.Alone();
        node.Put("value");
        KvResponse answer = node.Call(List(All)).Ended;
        Assert.Equal((null, "n1", new GroupId(1), 12UL, 6UL), (answer.Error, answer.Node, answer.Group, answer.Index.Value, answer.Term.Value));
        KvListChunk chunk = KvListChunk.Decode(answer.Value);
        Assert.Equal((HashRange.Full, 1UL, 1UL, null), (chunk.Covered, chunk.Revision, chunk.Count, chunk.Next));
        Assert.Equal("value"u8, Assert.Single(chunk.Rows).Value.Span);
    }

    [Fact]
    public void It_can_be_forwarded_and_covers_what_the_shard_owns()
    {
        FrontNode node = FrontNode.Alone(shards: 2);
        node.Put("value", shard: 2);
        node.Forwarded(1, List(All), group: 2);
        node.Forwarded(2, List(All with { Range = new HashRange(0, 5) }), group: 2);
        node.Forwarded(3, List(All with { Revision = 9 }), group: 2);
        KvResponse[] answers = [.. node.TakeAnswers().Select(answer => answer.Response)];
        Assert.Equal([null, ErrorCode.WrongShard, ErrorCode.BadRevision], answers.Select(answer => answer.Error));
        KvListChunk chunk = KvListChunk.Decode(answers[0].Value);
        Assert.Equal((node.Map.ById(2)!.Range, 1UL), (chunk.Covered, chunk.Count));
    }

    [Fact]
    public void A_list_that_does_not_hold_is_not_taken_from_another_node()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(1, List(All with { MaxRows = 0 }));
        node.Forwarded(2, List(All) with { Value = new byte[] { 1 } });
        node.Forwarded(3, List(All) with { Key = new byte[] { 1 } });
        Assert.Equal(3, node.Host.Worker.DroppedFrames);
    }

    private static KvRequest List(KvListRequest list) => new(KvOperation.List, default, list.Encode());
}
