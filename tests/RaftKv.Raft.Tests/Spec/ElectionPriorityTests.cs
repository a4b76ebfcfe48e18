namespace RaftKv.Raft.Tests.Spec;

/// <summary>Design §6, election priority: a replica of lower priority campaigns later, whatever prompts it, so that it leads only where no other does.</summary>
public sealed class ElectionPriorityTests
{
    private const long Delay = 1_000;

    [Fact]
    public void It_waits_longer_for_a_silent_leader()
    {
        Replica replica = Following();
        replica.TickAfter(1_000 + Delay - 501);
        Assert.Equal(Role.Follower, replica.Group.Role);
        replica.TickAfter(501);
        Assert.Equal(Role.PreCandidate, replica.Group.Role);
    }

    [Fact]
    public void So_it_does_when_the_leaders_connection_broke_or_its_node_is_gone()
    {
        foreach (Action<Replica> prompt in (Action<Replica>[])[replica => replica.Group.OnLeaderConnection(replica.Clock.Micros, isUp: false), replica => replica.Group.OnLeaderNodeGone(replica.Clock.Micros)])
        {
            Replica replica = Following();
            prompt(replica);
            replica.TickAfter(Delay - 1);
            Assert.Equal(Role.Follower, replica.Group.Role);
            replica.TickAfter(501);
            Assert.Equal(Role.PreCandidate, replica.Group.Role);
        }
    }

    private static Replica Following()
    {
        Replica replica = Replica.Of(Some.Voters(3), 2, options => options with { ElectionDelayMicros = Delay * 1000 });
        replica.Receive(Some.Heartbeat(1, 2, 6));
        return replica;
    }
}
