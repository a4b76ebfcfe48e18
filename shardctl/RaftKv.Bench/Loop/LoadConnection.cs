using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Loop;

/// <summary>Where a connection may lead, and how it is spoken there.</summary>
internal sealed record LoadTarget(IPEndPoint EndPoint, Func<ClientWire> MakeWire);

/// <summary>
/// One connection of a load: a socket that never blocks, a protocol, and for each slot a client with at most one request under way. When the
/// connection is lost, it is made anew, with a new protocol: to the next of its targets, after a pause if none of them did any good.
/// </summary>
/// <param name="targets">The first one is tried first.</param>
/// <param name="roams">It goes on also when it is refused: see <see cref="LoadPlan.Roams"/>.</param>
/// <param name="dues">For each slot: when its first request is due. Of a load without a pace that does not matter.</param>
/// <remarks>Owned by its loop's thread.</remarks>
internal sealed class LoadConnection(LoadLoop loop, int number, LoadTarget[] targets, bool roams, int firstClient, long[] dues) : IDisposable
{
    private const int ReceiveBytes = 64 * 1024;
    private static readonly long s_pause = Stopwatch.Frequency / 20;

    private readonly ByteQueue _received = new();
    private readonly ByteQueue _toSend = new();
    private readonly List<Answer> _answers = [];
    private readonly Request[] _requests = [.. dues.Select(due => new Request { DueAt = due })];
    private Socket? _socket;
    private ClientWire? _wire;
    private PollEvents _waitsFor;
    private bool _isOpen;
    private int _target;

    /// <summary>Targets in a row that did no good.</summary>
    private int _failures;
    private bool _wasRefused;
    private long _connectAt;
    private long _connectingSince;

    private enum Stage
    {
        /// <summary>Nothing is to be asked.</summary>
        Idle,

        /// <summary>It is due, and was sent to nobody, or definitely refused.</summary>
        Waiting,

        /// <summary>It was sent, and has no answer.</summary>
        UnderWay,
    }

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
            if ((_wire!.IsClosing || _wasRefused) && UnderWay == 0)
            {
                Leave();
                return;
            }

            StartDue(now);
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

    /// <summary>What time brings: connecting, giving up what takes too long, and asking again for work when there was none.</summary>
    public void OnTime(long now)
    {
        if (loop.PaceTicks > 0) BecomeDue(now);
        if (_socket is null && now >= _connectAt && !loop.IsDraining) Connect(now);
        if (_socket is not null && !_isOpen && now - _connectingSince > loop.TimeoutTicks) Lose("no-connection-in-time");
        GiveUp(now);
        if (_isOpen) OnReady(PollEvents.Writable, now);
    }

    public void Dispose() => _socket?.Dispose();

    private void Connect(long now)
    {
        _connectingSince = now;
        IPEndPoint endpoint = targets[_target].EndPoint;
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
        _wire = targets[_target].MakeWire();
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
        foreach (Answer answer in _answers) OnAnswer(answer, now);
    }

    private void OnAnswer(in Answer answer, long now)
    {
        if (answer.Kind is AnswerKind.Done or AnswerKind.Absent) _failures = 0;
        if (!roams || answer.Kind != AnswerKind.Refused)
        {
            Finish(answer, now);
            return;
        }

        // Made again it may be of another key: that was refused, too, had it been asked for.
        _requests[answer.Slot].Stage = Stage.Waiting;
        UnderWay--;
        _wasRefused = true;
    }

    private void Finish(in Answer answer, long now)
    {
        ref Request request = ref _requests[answer.Slot];
        if (request.Stage == Stage.UnderWay) UnderWay--;
        request.Stage = Stage.Idle;
        loop.OnAnswer(firstClient + answer.Slot, request.IsRead, answer, now - request.StartedAt, now);
    }

    /// <summary>A client that was held up does not catch up.</summary>
    private void BecomeDue(long now)
    {
        foreach (ref Request request in _requests.AsSpan())
        {
            if (request.Stage != Stage.Idle || now < request.DueAt || loop.IsDraining) continue;
            request.Stage = Stage.Waiting;
            request.StartedAt = request.DueAt;
            request.DueAt = Math.Max(request.DueAt + loop.PaceTicks, now);
        }
    }

    private void StartDue(long now)
    {
        for (int slot = 0; slot < _requests.Length && UnderWay < _requests.Length && !loop.IsDraining && !_wire!.IsClosing && !_wasRefused; slot++)
        {
            ref Request request = ref _requests[slot];
            if (request.Stage == Stage.UnderWay || (request.Stage == Stage.Idle && loop.PaceTicks > 0) || !loop.Workload.TryNext(firstClient + slot, out Operation operation)) continue;
            if (request.Stage == Stage.Idle) request.StartedAt = now;
            request.Stage = Stage.UnderWay;
            request.IsRead = operation.IsRead;
            _wire.Write(slot, operation, _toSend);
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

    /// <summary>Requests whose time is over. The connection of one that was sent goes with it.</summary>
    private void GiveUp(long now)
    {
        bool wasSent = false;
        for (int slot = 0; slot < _requests.Length; slot++)
        {
            Request request = _requests[slot];
            if (request.Stage == Stage.Idle || now - request.StartedAt <= loop.TimeoutTicks) continue;
            bool isUnderWay = request.Stage == Stage.UnderWay;
            wasSent |= isUnderWay;
            Finish(isUnderWay ? new Answer(slot, AnswerKind.Unknown, "no-answer-in-time") : new Answer(slot, AnswerKind.Refused, "no-server-in-time"), now);
        }

        if (wasSent) Lose("connection-given-up");
    }

    /// <summary>The requests under way have no answer any more: what became of them nobody knows.</summary>
    private void Lose(string reason)
    {
        loop.OnLost(reason, wasOpen: _isOpen);
        long now = Stopwatch.GetTimestamp();
        for (int slot = 0; slot < _requests.Length; slot++)
            if (_requests[slot].Stage == Stage.UnderWay) Finish(new Answer(slot, AnswerKind.Unknown, reason), now);
        Close(isFailure: true);
    }

    /// <summary>Without a loss: nothing is under way, and the peer has said that it takes no more, or has refused.</summary>
    private void Leave() => Close(isFailure: _wasRefused && !_wire!.IsClosing);

    private void Close(bool isFailure)
    {
        _socket?.Dispose();
        _socket = null;
        _isOpen = false;
        _wasRefused = false;
        _received.Clear();
        _toSend.Clear();
        _target = (_target + 1) % targets.Length;
        if (isFailure) _failures++;
        bool isRoundOver = isFailure && _failures % targets.Length == 0;
        _connectAt = isRoundOver ? Stopwatch.GetTimestamp() + s_pause : 0;
    }

    private static string ReasonOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection-refused",
        SocketError.ConnectionReset or SocketError.Shutdown => "connection-closed",
        _ => $"socket-{error}",
    };

    private struct Request
    {
        public Stage Stage;
        public bool IsRead;

        /// <summary>When it was sent first, or, where there is a pace, due.</summary>
        public long StartedAt;

        /// <summary>Of the next one.</summary>
        public long DueAt;
    }
}
