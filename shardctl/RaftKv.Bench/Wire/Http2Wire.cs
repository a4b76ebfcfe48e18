using System.Buffers.Binary;

namespace RaftKv.Bench.Wire;

/// <summary>
/// The client's half of HTTP/2 (RFC 9113) without TLS, with prior knowledge: as many requests under way as there are slots, flow control,
/// no priorities and no pushes. What the requests and answers are, a subclass says.
/// </summary>
internal abstract class Http2Wire : ClientWire
{
    private const int InitialWindow = 65_535;

    /// <summary>We take what comes: the windows are as large as may be, and opened anew long before they close.</summary>
    private const int OwnWindow = int.MaxValue;
    private const int RefillAt = OwnWindow / 2;

    private const int SettingHeaderTableSize = 1;
    private const int SettingEnablePush = 2;
    private const int SettingMaxStreams = 3;
    private const int SettingInitialWindow = 4;
    private const int ErrorRefusedStream = 7;

    private readonly Http2Exchange[] _exchanges;
    private readonly Dictionary<int, int> _slotOf = [];
    private readonly HeaderReader _headerReader = new();
    private readonly ByteQueue _ownBlock = new();

    /// <summary>Of the peer's block as much as has come; while it is open, nothing else may come in between.</summary>
    private readonly ByteQueue _block = new();
    private readonly IgnoredFields _ignored = new();
    private int _nextStream = 1;
    private int _streamWithOpenBlock;
    private bool _openBlockEndsStream;
    private long _sendWindow = InitialWindow;
    private long _initialSendWindow = InitialWindow;
    private int _receivedSinceRefill;

    protected Http2Wire(int slots)
    {
        _exchanges = new Http2Exchange[slots];
        for (int i = 0; i < slots; i++) _exchanges[i] = new Http2Exchange();
    }

    /// <summary>The fields of a request are added to a block.</summary>
    protected HeaderWriter Headers { get; } = new();

    /// <summary>Adds the header fields of a request, pseudo fields first, to one queue, and its body to another.</summary>
    protected abstract void WriteRequest(in Operation operation, ByteQueue block, ByteQueue body);

    /// <summary>What a complete answer says.</summary>
    protected abstract Answer Conclude(int slot, Http2Exchange exchange);

    public override void Begin(ByteQueue to)
    {
        to.Add("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Span<byte> settings = stackalloc byte[12];
        BinaryPrimitives.WriteInt16BigEndian(settings, SettingEnablePush);
        BinaryPrimitives.WriteInt32BigEndian(settings[2..], 0);
        BinaryPrimitives.WriteInt16BigEndian(settings[6..], SettingInitialWindow);
        BinaryPrimitives.WriteInt32BigEndian(settings[8..], OwnWindow);
        Http2Frame.Add(to, FrameType.Settings, 0, 0, settings);
        AddWindowUpdate(to, OwnWindow - InitialWindow);
    }

    public override void Write(int slot, in Operation operation, ByteQueue to)
    {
        if (_nextStream < 0) throw new WireException("streams-used-up");
        Http2Exchange exchange = _exchanges[slot];
        exchange.Begin(_nextStream, operation.IsRead, _initialSendWindow);
        _slotOf.Add(_nextStream, slot);
        _nextStream = unchecked(_nextStream + 2);

        _ownBlock.Clear();
        Headers.Begin(_ownBlock);
        WriteRequest(operation, _ownBlock, exchange.Unsent);
        bool hasBody = exchange.Unsent.Length > 0;
        Http2Frame.Add(to, FrameType.Headers, (byte)(Http2Frame.EndHeaders | (hasBody ? 0 : Http2Frame.EndStream)), exchange.Stream, _ownBlock.Waiting);
        if (hasBody) SendBody(exchange, to);
    }

    public override int Read(ReadOnlySpan<byte> bytes, ByteQueue to, List<Answer> answers)
    {
        int done = 0;
        while (bytes.Length - done >= Http2Frame.HeadBytes)
        {
            Http2Frame frame = Http2Frame.Read(bytes[done..]);
            if (frame.Length > Http2Frame.MaxLength) throw new WireException("bad-http2");
            int end = done + Http2Frame.HeadBytes + frame.Length;
            if (bytes.Length < end) break;
            OnFrame(frame, bytes[(done + Http2Frame.HeadBytes)..end], to, answers);
            done = end;
        }

        return done;
    }

    private void OnFrame(in Http2Frame frame, ReadOnlySpan<byte> payload, ByteQueue to, List<Answer> answers)
    {
        bool isExpected = _streamWithOpenBlock == 0 || (frame.Type == FrameType.Continuation && frame.Stream == _streamWithOpenBlock);
        if (!isExpected) throw new WireException("bad-http2");
        switch (frame.Type)
        {
            case FrameType.Data: OnData(frame, payload, to, answers); break;
            case FrameType.Headers: OnHeaders(frame, payload, answers); break;
            case FrameType.Continuation: OnContinuation(frame, payload, answers); break;
            case FrameType.ResetStream: OnReset(frame, payload, answers); break;
            case FrameType.Settings: OnSettings(frame, payload, to); break;
            case FrameType.WindowUpdate: OnWindowUpdate(frame, payload, to); break;
            case FrameType.Ping when !frame.Has(Http2Frame.Acknowledgement): Http2Frame.Add(to, FrameType.Ping, Http2Frame.Acknowledgement, 0, payload); break;
            case FrameType.GoAway: OnGoAway(payload, answers); break;
            case FrameType.PushPromise: throw new WireException("bad-http2");
            default: break; // What is unknown is to be ignored: RFC 9113 §4.1.
        }
    }

    private void OnData(in Http2Frame frame, ReadOnlySpan<byte> payload, ByteQueue to, List<Answer> answers)
    {
        _receivedSinceRefill += frame.Length;
        if (_receivedSinceRefill > RefillAt)
        {
            AddWindowUpdate(to, _receivedSinceRefill);
            _receivedSinceRefill = 0;
        }

        ReadOnlySpan<byte> data = WithoutPadding(frame, payload);
        if (!_slotOf.TryGetValue(frame.Stream, out int slot)) return; // Of a stream that was reset meanwhile.
        _exchanges[slot].Body.Add(data);
        if (frame.Has(Http2Frame.EndStream)) Complete(slot, answers);
    }

    private void OnHeaders(in Http2Frame frame, ReadOnlySpan<byte> payload, List<Answer> answers)
    {
        ReadOnlySpan<byte> fragment = WithoutPadding(frame, payload);
        if (frame.Has(Http2Frame.WithPriority)) fragment = fragment.Length >= 5 ? fragment[5..] : throw new WireException("bad-http2");
        _streamWithOpenBlock = frame.Stream;
        _openBlockEndsStream = frame.Has(Http2Frame.EndStream);
        AddToBlock(fragment, frame.Has(Http2Frame.EndHeaders), answers);
    }

    private void OnContinuation(in Http2Frame frame, ReadOnlySpan<byte> payload, List<Answer> answers)
    {
        if (_streamWithOpenBlock == 0) throw new WireException("bad-http2");
        AddToBlock(payload, frame.Has(Http2Frame.EndHeaders), answers);
    }

    /// <summary>A block is read whole, and read even if nobody wants it, for it changes the table.</summary>
    private void AddToBlock(ReadOnlySpan<byte> fragment, bool isLast, List<Answer> answers)
    {
        _block.Add(fragment);
        if (!isLast) return;
        bool isWanted = _slotOf.TryGetValue(_streamWithOpenBlock, out int slot);
        _headerReader.Read(_block.Waiting, isWanted ? _exchanges[slot] : _ignored);
        _block.Clear();
        _streamWithOpenBlock = 0;
        if (isWanted && _openBlockEndsStream) Complete(slot, answers);
    }

    private void Complete(int slot, List<Answer> answers)
    {
        Http2Exchange exchange = _exchanges[slot];
        answers.Add(Conclude(slot, exchange));
        _slotOf.Remove(exchange.Stream);
        exchange.End();
    }

    private void OnReset(in Http2Frame frame, ReadOnlySpan<byte> payload, List<Answer> answers)
    {
        int error = NumberIn(payload, 4);
        if (!_slotOf.Remove(frame.Stream, out int slot)) return;
        _exchanges[slot].End();
        answers.Add(error == ErrorRefusedStream ? new Answer(slot, AnswerKind.Refused, "stream-refused") : new Answer(slot, AnswerKind.Unknown, $"stream-reset-{error}"));
    }

    /// <summary>RFC 9113 §6.8: streams up to the one that is named are answered still; those above were not looked at. There may be a second one, with a lower number.</summary>
    private void OnGoAway(ReadOnlySpan<byte> payload, List<Answer> answers)
    {
        if (payload.Length < 8) throw new WireException("bad-http2");
        IsClosing = true;
        int last = NumberIn(payload[..4], 4);
        foreach (int stream in _slotOf.Keys.Where(stream => stream > last).ToArray())
        {
            _slotOf.Remove(stream, out int slot);
            _exchanges[slot].End();
            answers.Add(new Answer(slot, AnswerKind.Refused, "go-away"));
        }
    }

    private void OnSettings(in Http2Frame frame, ReadOnlySpan<byte> payload, ByteQueue to)
    {
        if (frame.Has(Http2Frame.Acknowledgement)) return;
        for (ReadOnlySpan<byte> rest = payload; rest.Length >= 6; rest = rest[6..])
            OnSetting(BinaryPrimitives.ReadUInt16BigEndian(rest), BinaryPrimitives.ReadUInt32BigEndian(rest[2..]));
        Http2Frame.Add(to, FrameType.Settings, Http2Frame.Acknowledgement, 0, []);
        SendBodies(to);
    }

    private void OnSetting(int setting, uint value)
    {
        switch (setting)
        {
            case SettingHeaderTableSize when value < HeaderTable.DefaultBytes:
                Headers.GiveUpTable();
                break;
            case SettingMaxStreams when value < _exchanges.Length:
                throw new WireException($"more-than-{value}-streams");
            case SettingInitialWindow:
                foreach (Http2Exchange exchange in _exchanges) exchange.SendWindow += value - _initialSendWindow;
                _initialSendWindow = value;
                break;
        }
    }

    private void OnWindowUpdate(in Http2Frame frame, ReadOnlySpan<byte> payload, ByteQueue to)
    {
        int more = NumberIn(payload, 4);
        if (frame.Stream == 0) _sendWindow += more;
        else if (_slotOf.TryGetValue(frame.Stream, out int slot)) _exchanges[slot].SendWindow += more;
        SendBodies(to);
    }

    private void SendBodies(ByteQueue to)
    {
        foreach (Http2Exchange exchange in _exchanges)
            if (exchange.Stream != 0 && exchange.Unsent.Length > 0) SendBody(exchange, to);
    }

    /// <summary>As much of it as the windows let through.</summary>
    private void SendBody(Http2Exchange exchange, ByteQueue to)
    {
        while (exchange.Unsent.Length > 0)
        {
            int count = (int)Math.Min(Math.Min(exchange.Unsent.Length, Http2Frame.MaxLength), Math.Min(_sendWindow, exchange.SendWindow));
            if (count <= 0) return;
            bool isLast = count == exchange.Unsent.Length;
            Http2Frame.Add(to, FrameType.Data, isLast ? Http2Frame.EndStream : (byte)0, exchange.Stream, exchange.Unsent.Waiting[..count]);
            exchange.Unsent.Take(count);
            exchange.SendWindow -= count;
            _sendWindow -= count;
        }
    }

    private static ReadOnlySpan<byte> WithoutPadding(in Http2Frame frame, ReadOnlySpan<byte> payload)
    {
        if (!frame.Has(Http2Frame.Padded)) return payload;
        return payload.Length > 0 && payload[0] < payload.Length ? payload[1..^payload[0]] : throw new WireException("bad-http2");
    }

    private static int NumberIn(ReadOnlySpan<byte> payload, int length) =>
        payload.Length == length ? BinaryPrimitives.ReadInt32BigEndian(payload) & int.MaxValue : throw new WireException("bad-http2");

    private static void AddWindowUpdate(ByteQueue to, int more)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, more);
        Http2Frame.Add(to, FrameType.WindowUpdate, 0, 0, payload);
    }

    private sealed class IgnoredFields : IHeaderSink
    {
        public void OnField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
        {
        }
    }
}
