using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// Stands between a node that dials and the peer port of another: so the network between nodes on one machine can fail without any privilege. Each
/// connection is two streams of frames; what happens to each is the <see cref="Link"/>'s of its direction. Of a protocol that is not ours, what came at once counts as a frame: then
/// links can be cut and be slow, no more.
/// </summary>
internal sealed class PeerProxy : IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>Frames between reading and sending; more than these a slow link holds back at its sender, as a socket would.</summary>
    private const int MaxFrames = 256;
    private const int KeepAliveSeconds = 2;
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly IPEndPoint _place;
    private readonly IPEndPoint _target;
    private readonly Func<int, (Link Forth, Link Back)?> _linksOf;
    private readonly bool _hasOurFrames;
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;
    private readonly Lock _lock = new();

    /// <summary>With the link that leads from the node that dialled.</summary>
    private readonly Dictionary<Socket, Link> _open = [];

    /// <param name="forth">From the node that dials to the one that listens.</param>
    public PeerProxy(IPEndPoint place, IPEndPoint target, Link forth, Link back)
        : this(place, target, _ => (forth, back), hasOurFrames: true)
    {
    }

    /// <param name="linksOf">From the port from which a node has dialled; null if it is nobody's: then nothing is carried.</param>
    public PeerProxy(IPEndPoint place, IPEndPoint target, Func<int, (Link Forth, Link Back)?> linksOf, bool hasOurFrames) =>
        (_place, _target, _linksOf, _hasOurFrames) = (place, target, linksOf, hasOurFrames);

    /// <summary>From now on it can be dialled.</summary>
    public void Start()
    {
        _listener.Bind(_place);
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    /// <summary>Closes every connection with a reset.</summary>
    public void Reset()
    {
        KeyValuePair<Socket, Link>[] open;
        lock (_lock) open = [.. _open];
        foreach (Socket socket in open.Select(one => one.Key))
        {
            socket.LingerState = new LingerOption(true, 0); // Close is a reset then.
            socket.Dispose();
        }

        foreach (Link link in open.Select(one => one.Value).Distinct()) link.Counters.Reset();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        Reset();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                Socket dialler = await _listener.AcceptAsync(_stop.Token);
                serving.RemoveAll(task => task.IsCompleted);
                serving.Add(ServeAsync(dialler));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket dialler)
    {
        if (_linksOf(((IPEndPoint)dialler.RemoteEndPoint!).Port) is not var (toTarget, toDialler))
        {
            dialler.Dispose();
            return;
        }

        using Socket target = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        lock (_lock) _open[dialler] = _open[target] = toTarget;
        try
        {
            Tune(dialler);
            Tune(target);
            await toTarget.WaitUntilOpenAsync(end.Token); // The kernel has answered already; what a firewall would drop waits here.
            await target.ConnectAsync(_target, end.Token);
            Task forth = CarryAsync(dialler, target, toTarget, end.Token);
            Task back = CarryAsync(target, dialler, toDialler, end.Token);
            await Task.WhenAny(forth, back);
            await end.CancelAsync();
            await Task.WhenAll(forth, back);
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The node sees a connection that ended.
        }
        finally
        {
            lock (_lock)
            {
                _open.Remove(dialler);
                _open.Remove(target);
            }

            dialler.Dispose();
        }
    }

    /// <summary>As the nodes do. Keepalives find out that the other end has gone while packets were dropped: through us a node would else never learn it.</summary>
    private static void Tune(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    /// <summary>Reads and sends are apart, so that a delay does not make a queue out of the sender's bytes.</summary>
    private async Task CarryAsync(Socket from, Socket to, Link link, CancellationToken end)
    {
        Channel<FrameOnItsWay> way = Channel.CreateBounded<FrameOnItsWay>(MaxFrames);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(end);
        Task sending = SendAsync(to, link, way.Reader, both.Token);
        try
        {
            byte[] buffer = new byte[BufferBytes];
            PeerFrames frames = new();
            byte[]? held = null;
            bool isFirst = true;
            List<FrameOnItsWay> onward = [];
            while (await from.ReceiveAsync(buffer, SocketFlags.None, both.Token) is > 0 and int read && !sending.IsCompleted)
            {
                foreach (byte[] frame in _hasOurFrames ? frames.Add(buffer.AsSpan(0, read)) : [buffer[..read]])
                {
                    onward.Clear();
                    link.Pass(frame, isFirst, ref held, onward);
                    isFirst = false;
                    foreach (FrameOnItsWay next in onward) await way.Writer.WriteAsync(next, both.Token);
                }
            }

            way.Writer.Complete();
            await sending;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException or InvalidDataException)
        {
            await both.CancelAsync();
            await sending;
        }
    }

    private static async Task SendAsync(Socket to, Link link, ChannelReader<FrameOnItsWay> way, CancellationToken end)
    {
        try
        {
            await foreach (var (bytes, due) in way.ReadAllAsync(end))
            {
                long wait = due - Environment.TickCount64;
                if (wait > 0) await Task.Delay((int)wait, end);
                await link.WaitUntilOpenAsync(end);
                for (int sent = 0; sent < bytes.Length;) sent += await to.SendAsync(bytes.AsMemory(sent), SocketFlags.None, end);
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other half notices by its own socket.
        }
    }
}
