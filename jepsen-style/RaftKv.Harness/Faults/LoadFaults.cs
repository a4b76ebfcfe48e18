using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RaftKv.Client;
using RaftKv.Harness.Clients;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>Clients that misbehave beside those of the workload. Their keys begin with <see cref="Prefix"/>, so that no workload sees them.</summary>
internal abstract class LoadFault(string name, string summary) : Fault(name, FaultTrack.Load, summary)
{
    protected const string Prefix = "~load-";

    /// <summary>A connection breaks when its node ends for another fault, or takes none: then it counts for nothing.</summary>
    protected static bool IsBroken(Exception exception) => exception is SocketException or ObjectDisposedException or HttpRequestException or OperationCanceledException;

    protected static string Put(string key, int length) => string.Create(CultureInfo.InvariantCulture, $"PUT /v1/kv/{key} HTTP/1.1\r\nHost: raftkv\r\nContent-Length: {length}\r\n\r\n");

    protected static string Get(string key) => $"GET /v1/kv/{key} HTTP/1.1\r\nHost: raftkv\r\n\r\n";

    protected static HttpClient ClientOf(HarnessNode node, int seconds) => new() { BaseAddress = node.Client.Url, Timeout = TimeSpan.FromSeconds(seconds) };
}

/// <summary>Puts are sent to a node at a rate that does not depend on its answers.</summary>
internal sealed class OverloadFault() : LoadFault("overload", "thousands of puts a second are sent to one node, whether it answers or not")
{
    private const int Connections = 64;
    private const int PerSecond = 8_000;
    private const int ValueBytes = 100;
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(50);

    /// <summary>Of the node, for what it has taken.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        long began = scene.Clock.NowMicros;
        Sender[] senders = [.. Enumerable.Range(0, Connections).Select(number => new Sender(scene, node, number))];
        await Task.WhenAll(senders.Select(sender => sender.RunAsync(duration, stop)));
        long sent = senders.Sum(sender => sender.Sent);
        long Answers(int status) => senders.Sum(sender => sender.Statuses.Counts.GetValueOrDefault(status));
        long answered = senders.Sum(sender => sender.Statuses.Total);
        return FaultBite.Of(
            node.Name, sent > duration.TotalSeconds * PerSecond / 10 && answered > 0, ("puts sent", sent), ("answered 200", Answers(200)), ("answered 429", Answers(429)), ("answered 503", Answers(503)), ("not answered", sent - answered),
            ("leader changes meanwhile", scene.Leaders.ChangesSince(began)));
    }

    /// <summary>One connection: what it sends, and what it counts of the answers.</summary>
    private sealed class Sender(FaultScene scene, HarnessNode node, int number)
    {
        private readonly byte[] _put = Encoding.ASCII.GetBytes(Put(Prefix + number.ToString(CultureInfo.InvariantCulture), ValueBytes) + new string('x', ValueBytes));

        public long Sent { get; private set; }

        public StatusCounts Statuses { get; } = new();

        public async Task RunAsync(TimeSpan duration, CancellationToken stop)
        {
            try
            {
                using RawClient client = await RawClient.ConnectAsync(node.Client);
                using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(stop);
                enough.CancelAfter(duration + s_patience);
                Task counting = CountAsync(client, enough.Token);
                try
                {
                    await SendAsync(client, duration, enough.Token);
                    while (Sent > Statuses.Total && !counting.IsCompleted) await Task.WhenAny(counting, Task.Delay(s_tick, CancellationToken.None));
                }
                finally
                {
                    await enough.CancelAsync();
                    await counting;
                }
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // What was not answered is seen by the counts.
            }
        }

        private async Task SendAsync(RawClient client, TimeSpan duration, CancellationToken stop)
        {
            TimeSpan start = scene.Clock.Now;
            while (scene.Clock.Now - start is var past && past < duration && !stop.IsCancellationRequested)
            {
                for (long due = (long)(past.TotalSeconds * PerSecond / Connections); Sent < due; Sent++) await client.SendAsync(_put, stop);
                await HoldAsync(s_tick, stop);
            }
        }

        private async Task CountAsync(RawClient client, CancellationToken stop)
        {
            byte[] buffer = new byte[16 * 1024];
            try
            {
                while (await client.ReceiveAsync(buffer, stop) is > 0 and int read) Statuses.Add(buffer.AsSpan(0, read));
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // It is over.
            }
        }
    }
}

/// <summary>Values at the limit, which a node takes, and a byte over it, which it refuses.</summary>
internal sealed class HugeValuesFault() : LoadFault("huge-values", "values as long as a node takes them, and a byte longer, which it must refuse")
{
    private const int Keys = 4;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(300);

    /// <summary>Once over after the time, if nothing was answered yet: leaders may have been away.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        using HttpClient http = ClientOf(node, seconds: 5);
        int taken = 0;
        int refused = 0;
        int wrong = 0;
        TimeSpan start = scene.Clock.Now;
        for (int i = 0; !stop.IsCancellationRequested && scene.Clock.Now - start is var past && (past < duration || ((taken == 0 || refused == 0) && past < duration + s_patience)); i++)
        {
            bool isOver = i % 2 == 1;
            try
            {
                using ByteArrayContent value = new(new byte[Contracts.Limits.Default.MaxValueBytes + (isOver ? 1 : 0)]);
                using HttpResponseMessage answer = await http.PutAsync(new Uri($"v1/kv/{Prefix}huge{scene.Random.Next(Keys)}", UriKind.Relative), value, stop);
                string said = await answer.Content.ReadAsStringAsync(stop);
                if (!isOver && answer.IsSuccessStatusCode) taken++;
                else if (isOver && answer.StatusCode == HttpStatusCode.RequestEntityTooLarge && said.Contains("\"value-too-large\"", StringComparison.Ordinal)) refused++;
                else if (isOver == answer.IsSuccessStatusCode) wrong++;
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // Neither.
            }

            await HoldAsync(s_pause, stop);
        }

        return FaultBite.Of(node.Name, taken > 0 && refused > 0 && wrong == 0, ("values at the limit taken", taken), ("values over it refused", refused), ("values over it taken", wrong));
    }
}

/// <summary>Connections that are torn in mid-request: while the body is sent, before the answer is read, within a header.</summary>
internal sealed class KilledClientsFault() : LoadFault("killed-clients", "clients die in the middle of what they send, or before they read the answer")
{
    private const int ValueBytes = 10_000;
    private const string HalfKey = Prefix + "half";

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        string[] requests = [Put(HalfKey, ValueBytes) + new string('x', ValueBytes / 2), Put(Prefix + "whole", ValueBytes) + new string('x', ValueBytes), Get(Prefix + "whole"), Get(Prefix + "whole")[..20]];
        int[] torn = new int[requests.Length];
        TimeSpan end = scene.Clock.Now + duration;
        while (scene.Clock.Now < end && !stop.IsCancellationRequested)
        {
            int kind = scene.Random.Next(requests.Length);
            try
            {
                using RawClient client = await RawClient.ConnectAsync(node.Client);
                await client.SendAsync(requests[kind], stop);
                await HoldAsync(TimeSpan.FromMilliseconds(scene.Random.Next(20)), stop); // So that the node is at it already, or not yet.
                client.Abort();
                torn[kind]++;
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // It could not be reached.
            }
        }

        using RaftKvClient reader = new(new RaftKvClientOptions { Endpoints = [.. scene.Cluster.Nodes.Select(other => other.Client)], Timeout = TimeSpan.FromSeconds(5), ConnectTimeout = TimeSpan.FromMilliseconds(300) });
        GetResult half = await reader.GetAsync(Encoding.ASCII.GetBytes(HalfKey), cancellation: CancellationToken.None);
        bool isWritten = half is { Outcome: RequestOutcome.Applied, Value: not null };
        return FaultBite.Of(node.Name, torn.Sum() > 0 && !isWritten, ("half-sent bodies", torn[0]), ("answers not read", torn[1] + torn[2]), ("torn within the header", torn[3]), ("half-sent bodies written", isWritten ? 1 : 0));
    }
}

/// <summary>Clients that ask for large values and do not read the answers: what waits for them must not hold up the others.</summary>
internal sealed class SlowReadersFault() : LoadFault("slow-readers", "clients ask for large values and do not read them")
{
    private const int Connections = 32;
    private const int ReceiveBytes = 4_096;

    /// <summary>In several shards: one of them has a leader.</summary>
    private const int Keys = 16;

    /// <summary>Until the value is there.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (await WriteAsync(scene, stop) is not ({ } node, { } key)) return FaultBite.Missed("no node took a large value");
        List<RawClient> clients = [];
        try
        {
            for (int i = 0; i < Connections; i++)
            {
                try
                {
                    RawClient client = await RawClient.ConnectAsync(node.Client, ReceiveBytes);
                    clients.Add(client);
                    await client.SendAsync(Get(key), stop);
                }
                catch (Exception exception) when (IsBroken(exception))
                {
                    // One less.
                }
            }

            await HoldAsync(duration, stop);
            int[] waiting = [.. clients.Select(client => client.Waiting)];
            int stalled = waiting.Count(bytes => bytes > 0 && bytes < Contracts.Limits.Default.MaxValueBytes / 2);
            return FaultBite.Of(node.Name, stalled > 0, ("connections with an answer that is stuck", stalled), ("bytes that wait on our side", waiting.Sum()));
        }
        finally
        {
            foreach (RawClient client in clients) client.Abort();
        }
    }

    /// <summary>The value, and a node that has taken it, so that it reaches the leader; nothing if none does for as long as patience lasts.</summary>
    private static async Task<(HarnessNode? Node, string? Key)> WriteAsync(FaultScene scene, CancellationToken stop)
    {
        for (TimeSpan start = scene.Clock.Now; scene.Clock.Now - start < s_patience && !stop.IsCancellationRequested; await HoldAsync(TimeSpan.FromMilliseconds(200), stop))
        {
            if (scene.AnyNode() is not { } node) continue;
            string key = string.Create(CultureInfo.InvariantCulture, $"{Prefix}large{scene.Random.Next(Keys)}");
            using HttpClient http = ClientOf(node, seconds: 1);
            try
            {
                using ByteArrayContent value = new(new byte[Contracts.Limits.Default.MaxValueBytes]);
                using HttpResponseMessage answer = await http.PutAsync(new Uri($"v1/kv/{key}", UriKind.Relative), value, stop);
                if (answer.IsSuccessStatusCode) return (node, key);
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // Once more.
            }
        }

        return default;
    }
}
