namespace RaftKv.MultiRaft.Tests;

/// <summary>What happened in a test, in order, across all its fakes.</summary>
internal sealed class Trace
{
    private readonly List<string> _events = [];

    public IReadOnlyList<string> Events => _events;

    public void Add(string what) => _events.Add(what);

    public string[] Take()
    {
        string[] taken = [.. _events];
        _events.Clear();
        return taken;
    }
}
