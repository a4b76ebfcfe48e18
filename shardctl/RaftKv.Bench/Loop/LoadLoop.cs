using System.Diagnostics;
using System.Net;
using RaftKv.Bench.Wire;
using RaftKv.Client;

namespace RaftKv.Bench.Loop;

/// <summary>
/// All connections of a load, driven by one thread over epoll.
/// </summary>
/// <remarks>
/// Not HttpClient: it costs 12 to 15 µs of CPU per request over HTTP/1.1 and 20 to 25 µs per gRPC call, about what a server takes to
/// replicate a write, and the servers under test share the machine. A receive, a send and a share of an epoll_wait are what is left here.
/// </remarks>
internal sealed class LoadLoop : IDisposable
{
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(2);

    private readonly LoadConnection[] _connections;
    private readonly IAnswerObserver? _observer;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _turnMillis;
    private volatile Tally? _tally;
    private volatile bool _isDraining;
    private long _drainUntil;

    public LoadLoop(LoadPlan plan, Workload workload, IAnswerObserver? observer = null)
    {
        Workload = workload;
        _observer = observer;
        TimeoutTicks = (long)(plan.RequestTimeout.TotalSeconds * Stopwatch.Frequency);
        PaceTicks = (long)(plan.Pace.TotalSeconds * Stopwatch.Frequency);
        _turnMillis = plan.Pace > TimeSpan.Zero ? 1 : (int)Math.Clamp(plan.RequestTimeout.TotalMilliseconds / 10, 1, 100);
        _connections = [.. Connections(plan)];
        _thread = new Thread(Run) { Name = "load", IsBackground = true };
    }

    /// <summary>When the loop has ended, or has failed.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Connections that were open and were lost, by reason, since the start. Read it when the loop has ended.</summary>
    public SortedDictionary<string, long> LostConnections { get; } = new(StringComparer.Ordinal);

    /// <summary>Attempts to connect that failed, by reason, since the start. Read it when the loop has ended.</summary>
    public SortedDictionary<string, long> FailedConnects { get; } = new(StringComparer.Ordinal);

    internal EventPoll Poll { get; } = new();

    internal Workload Workload { get; }

    internal long TimeoutTicks { get; }

    /// <summary>0: there is no pace.</summary>
    internal long PaceTicks { get; }

    internal bool IsDraining => _isDraining;

    public void Start() => _thread.Start();

    /// <summary>From now on answers are counted there, or nowhere. The tally is the loop's until another, or null, is given, and a turn has passed.</summary>
    public void CountInto(Tally? tally) => _tally = tally;

    /// <summary>No more requests; the loop ends when those under way are answered, or after a while.</summary>
    public void Drain()
    {
        _drainUntil = Stopwatch.GetTimestamp() + (long)(DrainPatience.TotalSeconds * Stopwatch.Frequency);
        _isDraining = true;
    }

    /// <summary>The loop must have ended, or never have started.</summary>
    public void Dispose()
    {
        foreach (LoadConnection connection in _connections) connection.Dispose();
        Poll.Dispose();
    }

    internal void OnAnswer(int client, bool isRead, in Answer answer, long ticks, long now)
    {
        Workload.OnAnswer(client, answer.Kind);
        _observer?.OnAnswer(client, answer.Kind, now);
        _tally?.Record(isRead, answer, ticks * 1_000_000 / Stopwatch.Frequency);
    }

    internal void OnLost(string reason, bool wasOpen)
    {
        SortedDictionary<string, long> counts = wasOpen ? LostConnections : FailedConnects;
        counts[reason] = counts.GetValueOrDefault(reason) + 1;
    }

    private void Run()
    {
        try
        {
            long nextTurn = 0;
            while (!IsOver())
            {
                int ready = Poll.Wait(_turnMillis);
                for (int i = 0; i < ready; i++)
                {
                    (PollEvents events, int connection) = Poll.Ready(i);
                    _connections[connection].OnReady(events, Stopwatch.GetTimestamp());
                }

                long now = Stopwatch.GetTimestamp();
                if (now < nextTurn) continue;
                nextTurn = now + (_turnMillis * Stopwatch.Frequency / 1000);
                foreach (LoadConnection connection in _connections) connection.OnTime(now);
            }

            _ended.SetResult();
        }
        catch (Exception exception)
        {
            _ended.SetException(exception);
        }
    }

    private bool IsOver()
    {
        if (Workload.IsExhausted) return true;
        if (!_isDraining) return false;
        return Stopwatch.GetTimestamp() >= _drainUntil || _connections.All(connection => connection.UnderWay == 0);
    }

    private IEnumerable<LoadConnection> Connections(LoadPlan plan)
    {
        IPEndPoint[] endpoints = [.. plan.Endpoints.Select(Resolve)];
        long start = Stopwatch.GetTimestamp();
        int client = 0;
        for (int i = 0; i < plan.Connections; i++)
        {
            // What does not divide evenly goes to the first ones.
            int slots = (plan.Clients / plan.Connections) + (i < plan.Clients % plan.Connections ? 1 : 0);
            LoadTarget[] targets = [.. Enumerable.Range(i, plan.Roams ? endpoints.Length : 1).Select(at => at % endpoints.Length).Select(at => new LoadTarget(endpoints[at], MakerOf(plan.Protocol, plan.Endpoints[at].ToString(), slots)))];
            yield return new LoadConnection(this, i, targets, plan.Roams, client, [.. Enumerable.Range(client, slots).Select(one => start + (PaceTicks * one / plan.Clients))]);
            client += slots;
        }
    }

    private static Func<ClientWire> MakerOf(LoadProtocol protocol, string authority, int slots) => protocol switch
    {
        LoadProtocol.RaftKvHttp1 => () => new RaftKvHttp1(authority),
        LoadProtocol.RaftKvHttp2 => () => new RaftKvHttp2(authority, slots),
        _ => () => new EtcdGrpc(authority, slots),
    };

    private static IPEndPoint Resolve(ClientEndpoint endpoint)
    {
        try
        {
            return new IPEndPoint(Dns.GetHostAddresses(endpoint.Host)[0], endpoint.Port);
        }
        catch (System.Net.Sockets.SocketException failure)
        {
            throw new LoadException($"{endpoint}: {failure.Message}", isUnreachable: true);
        }
    }
}

/// <summary>Hears of every answer, on the loop's thread.</summary>
public interface IAnswerObserver
{
    /// <param name="now">By <see cref="Stopwatch.GetTimestamp"/>.</param>
    void OnAnswer(int client, AnswerKind kind, long now);
}
