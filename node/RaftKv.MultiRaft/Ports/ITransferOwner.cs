using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>How handing over a leadership ended.</summary>
public enum TransferOutcome : byte
{
    /// <summary>The target leads.</summary>
    Done,

    /// <summary>Definite: there is no such voter, or (without a named target) no other voter that is up to date.</summary>
    NoTarget,

    /// <summary>Definite: the target's node is not heard from, has a stalled disk or is about to stop. Leadership stayed, and no write waited for it.</summary>
    TargetDown,

    /// <summary>Definite: the target did not get all entries in time, or another hand-over is under way. Leadership stayed.</summary>
    Stayed,

    /// <summary>The target was told to take over and has not when time was up. Leadership stayed until then.</summary>
    NotTaken,

    /// <summary>This node leads no more, and it is not the target that does; or nobody is known to.</summary>
    Lost,
}

/// <param name="Target">Whom leadership was to go to; default with NoTarget.</param>
/// <param name="Leader">Who leads in <paramref name="Term"/>; default if that is not known.</param>
public readonly record struct TransferResult(TransferOutcome Outcome, NodeId Target, NodeId Leader, Term Term);

/// <summary>Somebody waits to hear how handing over a leadership ended.</summary>
public interface ITransferOwner
{
    /// <summary>Called once, on the STEP thread.</summary>
    void OnEnded(GroupId group, TransferResult result);
}
