using RaftKv.Tests.Fakes;

namespace RaftKv.Client.Tests;

public sealed class NodeClientTests
{
    [Fact]
    public async Task A_status_is_read()
    {
        await using FakeNode node = new(new FakeReply(200, """
            {"node":"n1","nodeId":"1","diskId":"2","bootId":"3","clusterId":"4","clientUrl":"http://a:1","peerAddress":"a:2","uptimeMillis":5,"groups":[
            {"shard":1,"replicaId":"1","role":"leader","term":7,"leader":"n1","commit":9,"applied":8,"last":10,"durable":9,"revision":3}]}
            """));
        using NodeClient client = new(TimeSpan.FromSeconds(5));
        NodeStatus status = await client.StatusAsync(node.Endpoint);
        Assert.Equal(("n1", 5), (status.Node, status.UptimeMillis));
        Assert.Equal(new GroupStatus(1, "1", "leader", 7, "n1", 9, 8, 10, 9, 3), Assert.Single(status.Groups));
        Assert.Equal("/v1/status", node.Requests.Single().Target);
    }

    [Fact]
    public async Task A_node_that_nobody_is_at_does_not_listen()
    {
        using NodeClient client = new(TimeSpan.FromSeconds(5));
        NodeUnreachableException failure = await Assert.ThrowsAsync<NodeUnreachableException>(() => client.StatusAsync(FakeNode.Nobody()));
        Assert.False(failure.IsListening);
        Assert.Contains("Connection refused", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_says_nothing_listens()
    {
        await using FakeNode node = new(FakeReply.Silence);
        using NodeClient client = new(TimeSpan.FromMilliseconds(100));
        Assert.True((await Assert.ThrowsAsync<NodeUnreachableException>(() => client.StatusAsync(node.Endpoint))).IsListening);
    }

    [Theory]
    [InlineData(200, "<html>")]
    [InlineData(404, "{}")]
    public async Task Something_else_than_a_node_is_named_as_such(int status, string body)
    {
        await using FakeNode node = new(new FakeReply(status, body));
        using NodeClient client = new(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<NodeUnreachableException>(() => client.ShardsAsync(node.Endpoint));
    }
}
