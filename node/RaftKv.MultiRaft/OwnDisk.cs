using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// Whether this node's disk is the one that its peers have met it with. If not, its directory was lost or swapped: everyone refuses it, for
/// ever, and it is of no use to go on. Pure but for its lock; called from the links' threads.
/// </summary>
/// <remarks>
/// A peer that may itself take part is believed at once. One that was met with another disk may be the one that was swapped: then it takes more than
/// half of the peers, for they cannot all have been.
/// </remarks>
/// <param name="peers">How many other nodes there are.</param>
public sealed class OwnDisk(ulong diskId, string name, int peers)
{
    private readonly HashSet<NodeId> _deniers = [];
    private readonly Lock _lock = new();

    /// <summary>Why this node must not go on, in one clear line; null when it may.</summary>
    /// <param name="isAdmitted">This node lets the other take part: see <see cref="PeerDisks.Refusal"/>.</param>
    public string? Denial(Hello other, bool isAdmitted)
    {
        lock (_lock)
        {
            if (other.MetDiskId == 0 || other.MetDiskId == diskId)
            {
                _deniers.Remove(other.Node);
                return null;
            }

            _deniers.Add(other.Node);
            bool areMost = peers > 1 && 2 * _deniers.Count > peers;
            if (!isAdmitted && !areMost) return null;
            return $"this directory has disk {diskId:x16}, but node {other.Name} has met {name} with disk {other.MetDiskId:x16}: the data directory was lost or swapped, and this node may not vote again under its name";
        }
    }
}
