using RaftKv.Checking.Histories;
using RaftKv.Harness.Histories;

namespace RaftKv.Harness.Clients;

/// <summary>
/// Keeps what clients asked and were answered, in the order of returns: in memory for the checkers, and in the history file as it happens, so that
/// a run that dies leaves its history behind. Thread-safe.
/// </summary>
internal sealed class Recorder(HistoryWriter writer)
{
    private readonly Lock _lock = new();
    private readonly List<ClientCall> _calls = [];

    public void Add(ClientCall call)
    {
        lock (_lock)
        {
            _calls.Add(call);
            writer.Write(call);
        }
    }

    /// <summary>Those so far.</summary>
    public ClientCall[] Snapshot()
    {
        lock (_lock) return [.. _calls];
    }
}
