using RaftKv.MultiRaft.Wire;

namespace RaftKv.MultiRaft.Tests.Wire;

/// <summary>When a node learns that its disk is not the one it was met with, and whom it believes.</summary>
public sealed class OwnDiskTests
{
    private readonly OwnDisk _own = new(diskId: 7, "n1", peers: 2);

    [Fact]
    public void A_peer_that_never_met_it_or_knows_its_disk_denies_nothing()
    {
        Assert.Null(_own.Denial(From(2, met: 0), isAdmitted: true));
        Assert.Null(_own.Denial(From(2, met: 7), isAdmitted: true));
    }

    [Fact]
    public void One_peer_that_may_take_part_is_believed() =>
        Assert.Contains("n2 has met n1 with disk 0000000000000008: the data directory was lost or swapped", _own.Denial(From(2, met: 8), isAdmitted: true), StringComparison.Ordinal);

    [Fact]
    public void One_that_may_be_swapped_itself_is_not_but_most_peers_are()
    {
        Assert.Null(_own.Denial(From(2, met: 8), isAdmitted: false));
        Assert.Null(_own.Denial(From(2, met: 8), isAdmitted: false)); // However often it says so.
        Assert.NotNull(_own.Denial(From(3, met: 8), isAdmitted: false));
    }

    [Fact]
    public void Who_denies_no_more_does_not_count()
    {
        Assert.Null(_own.Denial(From(2, met: 8), isAdmitted: false));
        Assert.Null(_own.Denial(From(2, met: 7), isAdmitted: true));
        Assert.Null(_own.Denial(From(3, met: 8), isAdmitted: false));
    }

    [Fact]
    public void Of_two_nodes_that_deny_each_other_neither_can_tell() =>
        Assert.Null(new OwnDisk(7, "n1", peers: 1).Denial(From(2, met: 8), isAdmitted: false));

    private static Hello From(int node, ulong met) => new(1, 1, 0, 0, Some.Node(node), (ulong)node, 1, default, $"n{node}", MetDiskId: met);
}
