namespace RaftKv.Kv.Tests.Routing;

/// <summary>Forwarded requests that parse but must never reach the log: there they would stop every replica, at each start again.</summary>
public sealed class HostileForwardTests
{
    /// <summary>Leaders propose it themselves; it has no result, and nobody may ask for it from outside.</summary>
    [Fact]
    public void An_expire_is_not_taken_from_another_node()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(1, new KvRequest(KvOperation.Expire, default));
        Assert.Equal((11UL, 1L), (node.Group.LastIndex.Value, node.Host.Worker.DroppedFrames));
    }

    /// <summary>A dedup record's key holds its length in a byte.</summary>
    [Theory]
    [InlineData(256)]
    [InlineData(5_000)]
    public void An_idempotency_key_that_no_record_can_hold_is_not_taken_from_another_node(int length)
    {
        FrontNode node = FrontNode.Alone();
        KvRequest put = new(KvOperation.Put, node.KeyIn(1), default, IdempotencyKey: new byte[length]);
        node.Forwarded(1, put);
        Assert.Equal((11UL, 1L), (node.Group.LastIndex.Value, node.Host.Worker.DroppedFrames));
    }
}
