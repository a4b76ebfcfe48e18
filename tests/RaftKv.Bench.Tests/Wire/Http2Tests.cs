using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

/// <summary>HTTP/2 as RaftKv's calls use it (RFC 9113), byte for byte and against a peer's frames.</summary>
public sealed class Http2Tests
{
    private const string Status200 = "88";
    private readonly RaftKvHttp2 _wire = new("h:1", slots: 3);
    private readonly ByteQueue _sent = new();
    private readonly List<Answer> _answers = [];

    [Fact]
    public void It_begins_with_the_preface_its_settings_and_a_wide_window()
    {
        _wire.Begin(_sent);
        Assert.Equal(
            "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a" + "00000c040000000000" + "000200000000" + "00047fffffff" + "000004080000000000" + "7fff0000",
            Bytes.HexOf(_sent.Waiting));
    }

    [Fact]
    public void A_put_is_headers_and_data_and_the_next_one_needs_few_bytes()
    {
        _wire.Write(0, Bytes.Put("k", "abc"), _sent);
        Assert.Equal(
            "000039" + "010400000001" + "40073a6d6574686f6403505554" + "40073a736368656d650468747470" + "400a3a617574686f7269747903683a31" + "04082f76312f6b762f6b" + "0f0d0133"
            + "000003" + "000100000001" + "616263",
            Bytes.HexOf(_sent.Waiting));
        _sent.Clear();
        _wire.Write(1, Bytes.Put("k", ""), _sent);
        Assert.Equal("000011" + "01" + "05" + "00000003" + "c0bfbe" + "04082f76312f6b762f6b" + "0f0d0130", Bytes.HexOf(_sent.Waiting));
    }

    [Fact]
    public void Answers_come_in_any_order_and_in_any_pieces()
    {
        foreach (int pieceBytes in (int[])[1, 5, 1000])
        {
            RaftKvHttp2 wire = new("h:1", slots: 2);
            wire.Write(0, Bytes.Get("a"), _sent);
            wire.Write(1, Bytes.Get("b"), _sent);
            byte[] answers = [.. Headers(3, Status200), .. Headers(1, Status200), .. Data(3, "one"), .. Data(1, "t"), .. Data(1, "wo", isLast: true), .. Data(3, "", isLast: true)];
            Assert.Equal([new Answer(0, AnswerKind.Done), new Answer(1, AnswerKind.Done)], Bytes.ReadInPieces(wire, answers, pieceBytes, _sent));
        }
    }

    [Fact]
    public void A_slot_is_free_again_after_its_answer()
    {
        for (int i = 0; i < 5; i++)
        {
            _wire.Write(2, Bytes.Get("a"), _sent);
            Read(Headers((2 * i) + 1, Status200, isLast: true));
        }

        Assert.Equal(Enumerable.Repeat(new Answer(2, AnswerKind.Done), 5), _answers);
    }

    [Fact]
    public void A_problem_document_is_told_by_its_code()
    {
        _wire.Write(0, Bytes.Put("k", "v"), _sent);
        Read([.. Headers(1, "0803353033"), .. Data(1, "{\"code\":\"no-leader\",\"outcome\":\"not-applied\"}", isLast: true)]);
        Assert.Equal([new Answer(0, AnswerKind.Refused, "no-leader")], _answers);
    }

    [Fact]
    public void A_header_block_may_be_padded_weighted_and_continued()
    {
        _wire.Write(0, Bytes.Get("k"), _sent);
        byte[] block = Bytes.Hex("0803323030");
        const byte Flags = Http2Frame.EndStream | Http2Frame.Padded | Http2Frame.WithPriority;
        Read([.. Frame(FrameType.Headers, Flags, 1, [2, 0, 0, 0, 0, 16, .. block[..2], 0, 0]), .. Frame(FrameType.Continuation, Http2Frame.EndHeaders, 1, block[2..])]);
        Assert.Equal([new Answer(0, AnswerKind.Done)], _answers);
    }

    [Fact]
    public void A_request_may_be_written_while_a_header_block_is_open()
    {
        _wire.Write(0, Bytes.Get("k"), _sent);
        Read(Frame(FrameType.Headers, Http2Frame.EndStream, 1, Bytes.Hex("0803")));
        _wire.Write(1, Bytes.Get("k"), _sent);
        Read(Frame(FrameType.Continuation, Http2Frame.EndHeaders, 1, Bytes.Hex("323030")));
        Assert.Equal([new Answer(0, AnswerKind.Done)], _answers);
    }

    [Fact]
    public void Settings_and_pings_are_acknowledged()
    {
        Read([.. Frame(FrameType.Settings, 0, 0, []), .. Frame(FrameType.Ping, 0, 0, Bytes.Hex("0102030405060708"))]);
        Assert.Equal("000000040100000000" + "000008060100000000" + "0102030405060708", Bytes.HexOf(_sent.Waiting));
        _sent.Clear();
        Read([.. Frame(FrameType.Settings, Http2Frame.Acknowledgement, 0, []), .. Frame(FrameType.Ping, Http2Frame.Acknowledgement, 0, new byte[8]), .. Frame((FrameType)99, 0, 0, [1])]);
        Assert.Equal(0, _sent.Length);
    }

    /// <summary>RFC 9113 §6.9: neither the connection's window nor the stream's is overrun; what waits goes as soon as both are open.</summary>
    [Fact]
    public void A_body_waits_for_the_windows()
    {
        string value = new('x', 70_000);
        _wire.Write(0, Bytes.Put("k", value), _sent);
        Assert.Equal((65_535, false), BodySent(1));
        Read(Frame(FrameType.WindowUpdate, 0, 1, Bytes.Hex("00010000")));
        Assert.Equal((0, false), BodySent(1));
        Read(Frame(FrameType.WindowUpdate, 0, 0, Bytes.Hex("00000064")));
        Assert.Equal((100, false), BodySent(1));
        Read(Frame(FrameType.WindowUpdate, 0, 0, Bytes.Hex("00010000")));
        Assert.Equal((70_000 - 65_635, true), BodySent(1));
    }

    [Fact]
    public void A_changed_initial_window_counts_for_requests_under_way()
    {
        Read(Settings(4, 10));
        _sent.Clear();
        _wire.Write(0, Bytes.Put("k", new string('x', 100)), _sent);
        Assert.Equal((10, false), BodySent(1));
        Read(Settings(4, 4)); // It owes six now.
        Read(Frame(FrameType.WindowUpdate, 0, 1, Bytes.Hex("00000006")));
        Assert.Equal((0, false), BodySent(1));
        Read(Settings(4, 1000));
        Assert.Equal((90, true), BodySent(1));
    }

    [Fact]
    public void A_window_of_ours_is_opened_anew_before_it_closes()
    {
        _wire.Write(0, Bytes.Get("k"), _sent);
        _sent.Clear();
        byte[] full = Frame(FrameType.Data, 0, 99, new byte[Http2Frame.MaxLength]);
        int frames = 0;
        for (; _sent.Length == 0; frames++) Read(full);
        Assert.Equal((int.MaxValue / 2 / Http2Frame.MaxLength) + 1, frames);
        Assert.Equal("000004080000000000" + Bytes.HexOf(BitConverter.GetBytes(frames * Http2Frame.MaxLength).Reverse().ToArray()), Bytes.HexOf(_sent.Waiting));
    }

    [Theory]
    [InlineData(7, AnswerKind.Refused, "stream-refused")]
    [InlineData(2, AnswerKind.Unknown, "stream-reset-2")]
    internal void A_reset_stream_is_refused_only_if_it_says_so(int error, AnswerKind kind, string reason)
    {
        _wire.Write(0, Bytes.Put("k", "v"), _sent);
        Read([.. Frame(FrameType.ResetStream, 0, 1, [0, 0, 0, (byte)error]), .. Headers(1, Status200, isLast: true), .. Data(1, "late", isLast: true)]);
        Assert.Equal([new Answer(0, kind, reason)], _answers);
    }

    [Fact]
    public void A_peer_that_allows_too_few_streams_is_told_of() => Assert.Equal("more-than-2-streams", Refused(Settings(3, 2)));

    /// <summary>RFC 9113 §6.8.</summary>
    [Fact]
    public void A_peer_that_goes_away_still_answers_up_to_the_stream_that_it_names()
    {
        _wire.Write(0, Bytes.Put("k", "v"), _sent);
        _wire.Write(1, Bytes.Put("k", "v"), _sent);
        Assert.False(_wire.IsClosing);
        Read([.. Frame(FrameType.GoAway, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]), .. Headers(1, Status200, isLast: true)]);
        Assert.True(_wire.IsClosing);
        Assert.Equal([new Answer(1, AnswerKind.Refused, "go-away"), new Answer(0, AnswerKind.Done)], _answers);
    }

    [Theory]
    [InlineData("004001 00 00 00000001", "a frame that is too long")]
    [InlineData("000001 00 08 00000001 01", "more padding than there is")]
    [InlineData("000001 09 04 00000001 88", "a continuation of nothing")]
    [InlineData("000001 01 00 00000001 88 000000 04 00 00000000", "something else within a header block")]
    [InlineData("000003 08 00 00000000 000001", "a window update that is too short")]
    [InlineData("000004 05 04 00000001 00000002", "a push")]
    [InlineData("000004 07 00 00000000 00000001", "a farewell that is too short")]
    public void What_breaks_the_protocol_ends_the_connection(string frames, string why) => Assert.True(Refused(Bytes.Hex(frames)) == "bad-http2", why);

    private void Read(byte[] bytes) => Assert.Equal(bytes.Length, _wire.Read(bytes, _sent, _answers));

    private string Refused(byte[] bytes) => Assert.Throws<WireException>(() => _wire.Read(bytes, _sent, _answers)).Message;

    /// <summary>The bytes of the body of a stream among what was sent, and whether they end it. Takes all.</summary>
    private (int Bytes, bool Ends) BodySent(int stream)
    {
        int bytes = 0;
        bool ends = false;
        while (_sent.Length > 0)
        {
            Http2Frame frame = Http2Frame.Read(_sent.Waiting);
            Assert.InRange(frame.Length, 0, Http2Frame.MaxLength);
            if (frame.Type == FrameType.Data)
            {
                Assert.Equal((stream, false), (frame.Stream, ends));
                bytes += frame.Length;
                ends = frame.Has(Http2Frame.EndStream);
            }

            _sent.Take(Http2Frame.HeadBytes + frame.Length);
        }

        return (bytes, ends);
    }

    private static byte[] Headers(int stream, string block, bool isLast = false) =>
        Frame(FrameType.Headers, (byte)(Http2Frame.EndHeaders | (isLast ? Http2Frame.EndStream : 0)), stream, Bytes.Hex(block));

    private static byte[] Data(int stream, string text, bool isLast = false) => Frame(FrameType.Data, isLast ? Http2Frame.EndStream : (byte)0, stream, Bytes.Ascii(text));

    private static byte[] Settings(byte setting, int value) => Frame(FrameType.Settings, 0, 0, [0, setting, (byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value]);

    private static byte[] Frame(FrameType type, byte flags, int stream, byte[] payload)
    {
        ByteQueue queue = new();
        Http2Frame.Add(queue, type, flags, stream, payload);
        return queue.Waiting.ToArray();
    }
}
