namespace RaftKv.Node.Tests.Support;

/// <summary>
/// Clients that write, each key once, and remember what they were told. Afterwards every write said to be applied must be there, and
/// every one said not to be must not.
/// </summary>
/// <remarks>Bounded: each client ends after a number of writes even if nobody stops it.</remarks>
internal sealed class WriteLoad
{
    private const int MaxWritesPerClient = 5_000;
    private const int TimeoutMillis = 2_000;
    private const int ReadersAtOnce = 8;

    private readonly Uri[] _endpoints;
    private readonly Lock _lock = new();
    private readonly List<(string Key, Outcome Outcome, DateTime Began)> _history = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];
    private readonly Task[] _clients;
    private volatile bool _isStopping;
    private int _applied;

    public WriteLoad(IEnumerable<NodeUnderTest> nodes, int clients = 4, string prefix = "load")
    {
        _endpoints = [.. nodes.Select(node => node.Url)];
        _clients = [.. Enumerable.Range(0, clients).Select(client => Task.Run(() => RunAsync(prefix, client)))];
    }

    public int Applied
    {
        get { lock (_lock) return _applied; }
    }

    /// <summary>Writes that ended in an error, definite or not.</summary>
    public int NotAcknowledged
    {
        get { lock (_lock) return _history.Count - _applied; }
    }

    /// <summary>Writes that were acknowledged although they began after that time.</summary>
    public int AppliedOfThoseBegunAfter(DateTime time)
    {
        lock (_lock) return _history.Count(write => write.Outcome == Outcome.Applied && write.Began > time);
    }

    /// <summary>Completes when <paramref name="more"/> further writes have been acknowledged.</summary>
    public async Task MoreAppliedAsync(int more)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock) _waiting.Add((_applied + more, reached));
        await reached.Task.WaitAsync(Wait.Limit);
    }

    public async Task StopAsync()
    {
        _isStopping = true;
        await Task.WhenAll(_clients).WaitAsync(Wait.Limit);
    }

    /// <summary>Reads everything back at each of the nodes in turn.</summary>
    public async Task CheckAsync(params NodeUnderTest[] nodes)
    {
        ParallelOptions options = new() { MaxDegreeOfParallelism = ReadersAtOnce };
        await Parallel.ForEachAsync(_history.Select((write, i) => (write, nodes[i % nodes.Length])), options, async (item, _) =>
        {
            var ((key, outcome, _), node) = item;
            string? value = await Client.GetAsync(node.Url, key);
            string story = $"{key} was {outcome}, {node.Name} reads {value ?? "nothing"}";
            if (outcome == Outcome.Applied) Assert.True(value == ValueOf(key), story);
            else if (outcome == Outcome.NotApplied) Assert.True(value is null, story);
            else Assert.True(value is null || value == ValueOf(key), story);
        });
    }

    private static string ValueOf(string key) => "value of " + key;

    private async Task RunAsync(string prefix, int client)
    {
        int endpoint = client;
        for (int i = 0; i < MaxWritesPerClient && !_isStopping; i++)
        {
            string key = $"{prefix}/{client}/{i}";
            DateTime began = DateTime.UtcNow;
            Outcome outcome = await Client.PutAsync(_endpoints[endpoint % _endpoints.Length], key, ValueOf(key), TimeoutMillis);
            if (outcome != Outcome.Applied) endpoint++;
            Note(key, outcome, began);
        }
    }

    private void Note(string key, Outcome outcome, DateTime began)
    {
        lock (_lock)
        {
            _history.Add((key, outcome, began));
            if (outcome != Outcome.Applied) return;
            _applied++;
            foreach (var (_, reached) in _waiting.Where(waiting => waiting.Count <= _applied)) reached.TrySetResult();
            _waiting.RemoveAll(waiting => waiting.Count <= _applied);
        }
    }
}
