using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Loop;

/// <summary>
/// One connection of a load: a socket that never blocks, a protocol, and for each slot a client with at most one request under way. When the
/// connection is lost, it is made anew, with a new protocol, after a pause.
/// </summary>
/// <remarks>Owned by its loop's thread.</remarks>
internal sealed class LoadConnection(LoadLoop loop, int number, IPEndPoint endpoint, Func<ClientWire> makeWire, int firstClient, int slots) : IDisposable
{
    private const int ReceiveBytes = 64 * 1024;
    private static readonly long s_pause = Stopwatch.Frequency / 20;

    private readonly ByteQueue _received = new();
    private readonly ByteQueue _toSend = new();
    private readonly List<Answer> _answers = [];
    private readonly Request[] _requests = new Request[slots];
    private Socket? _socket;
    private ClientWire? _wire;
    private PollEvents _waitsFor;
    private bool _isOpen;
    private long _connectAt;

    /// <summary>Requests without an answer.</summary>
    public int UnderWay { get; private set; }

    /// <summary>What the socket is ready for.</summary>
    public void OnReady(PollEvents events, long now)
    {
        if (_socket is null) return; // Lost earlier in this turn.
        try
        {
            if (!_isOpen) Open();
            else if ((events & ~PollEvents.Writable) != 0) Receive(now);
            StartIdle(now);
            Send();
        }
        catch (WireException broken)
        {
            Lose(broken.Message);
        }
        catch (SocketException failure)
        {
            Lose(ReasonOf(failure.SocketErrorCode));
        }
    }

    /// <summary>What time brings: connecting, giving up requests that are too old, and asking again for work when there was none.</summary>
    public void OnTime(long now)
    {
        if (_socket is null && now >= _connectAt && !loop.IsDraining) Connect(now);
        if (_requests.Any(request => request.IsUnderWay && now - request.SentAt > loop.TimeoutTicks)) LoseToTimeout(now);
        if (_isOpen) OnReady(PollEvents.Writable, now);
    }

    public void Dispose() => _socket?.Dispose();

    private void Connect(long now)
    {
        _connectAt = now + s_pause;
        _socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false, NoDelay = true };
        try
        {
            _socket.Connect(endpoint);
        }
        catch (SocketException waiting) when (waiting.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // It becomes writable when it is connected, or has failed.
        }
        catch (SocketException failure)
        {
            Lose(ReasonOf(failure.SocketErrorCode));
            return;
        }

        _waitsFor = PollEvents.Writable;
        loop.Poll.Add(_socket, _waitsFor, number);
    }

    private void Open()
    {
        int error = (int)_socket!.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
        if (error != 0) throw new SocketException(error);
        _isOpen = true;
        _wire = makeWire();
        _wire.Begin(_toSend);
    }

    private void Receive(long now)
    {
        int count = _socket!.Receive(_received.GetSpan(ReceiveBytes)[..ReceiveBytes], SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock) return;
        if (error != SocketError.Success) throw new SocketException((int)error);
        if (count == 0) throw new WireException("connection-closed");
        _received.Advance(count);
        _answers.Clear();
        _received.Take(_wire!.Read(_received.Waiting, _toSend, _answers));
        foreach (Answer answer in _answers) Finish(answer, now);
    }

    private void Finish(in Answer answer, long now)
    {
        ref Request request = ref _requests[answer.Slot];
        request.IsUnderWay = false;
        UnderWay--;
        loop.OnAnswer(firstClient + answer.Slot, request.IsRead, answer, now - request.SentAt, now);
    }

    private void StartIdle(long now)
    {
        for (int slot = 0; slot < _requests.Length && UnderWay < _requests.Length && !loop.IsDraining; slot++)
        {
            if (_requests[slot].IsUnderWay || !loop.Workload.TryNext(firstClient + slot, out Operation operation)) continue;
            _wire!.Write(slot, operation, _toSend);
            _requests[slot] = new Request { IsUnderWay = true, IsRead = operation.IsRead, SentAt = now };
            UnderWay++;
        }
    }

    private void Send()
    {
        if (_toSend.Length > 0)
        {
            int count = _socket!.Send(_toSend.Waiting, SocketFlags.None, out SocketError error);
            if (error is not (SocketError.Success or SocketError.WouldBlock)) throw new SocketException((int)error);
            if (error == SocketError.Success) _toSend.Take(count);
        }

        PollEvents wanted = PollEvents.Readable | (_toSend.Length > 0 ? PollEvents.Writable : 0);
        if (wanted == _waitsFor) return;
        loop.Poll.Change(_socket!, wanted, number);
        _waitsFor = wanted;
    }

    private void LoseToTimeout(long now)
    {
        for (int slot = 0; slot < _requests.Length; slot++)
            if (_requests[slot].IsUnderWay && now - _requests[slot].SentAt > loop.TimeoutTicks) Finish(new Answer(slot, AnswerKind.Unknown, "no-answer-in-time"), now);
        Lose("connection-given-up");
    }

    /// <summary>The requests under way have no answer any more: what became of them nobody knows.</summary>
    private void Lose(string reason)
    {
        loop.OnLost(reason, wasOpen: _isOpen);
        long now = Stopwatch.GetTimestamp();
        for (int slot = 0; slot < _requests.Length; slot++)
            if (_requests[slot].IsUnderWay) Finish(new Answer(slot, AnswerKind.Unknown, reason), now);
        _socket?.Dispose();
        _socket = null;
        _isOpen = false;
        _received.Clear();
        _toSend.Clear();
        _connectAt = now + s_pause;
    }

    private static string ReasonOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection-refused",
        SocketError.ConnectionReset or SocketError.Shutdown => "connection-closed",
        _ => $"socket-{error}",
    };

    private struct Request
    {
        public bool IsUnderWay;
        public bool IsRead;
        public long SentAt;
    }
}
