using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Histories;

namespace RaftKv.Harness.Tests;

/// <summary>history.jsonl: what is written is read back, and a file that is not whole proves nothing.</summary>
public sealed class HistoryFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    private static readonly ClientCall[] s_calls =
    [
        new(0, 10, 20, CallKind.Put, [KvOperation.Put("k", "v").IfMatch(3)], OutcomeKind.Refused) { Results = [new("k", OutcomeKind.Refused, false, null, 4, 0, 0, Position.OfWrite(1, 9))], Node = "n1" },
        new(1, 11, Operation.Never, CallKind.Put, [KvOperation.Put("k", "<w>", 5)], OutcomeKind.Unknown) { Error = "no-answer", IdempotencyKey = "i" },
        new(2, 12, 22, CallKind.Get, [KvOperation.Get("k")], OutcomeKind.Ok) { Results = [new("k", OutcomeKind.Ok, true, "v", 3, 0, 1, Position.OfRead(1, 9))], Freshness = Freshness.Stale, AgeMillis = 7 },
        new(3, 13, 23, CallKind.Txn, [KvOperation.Delete("k")], OutcomeKind.Ok) { Compares = [new("k", 3)], Else = [KvOperation.Get("k")], Succeeded = true, Results = [new("k", OutcomeKind.Ok, true, null, 5, 3, 0, Position.OfWrite(1, 10, 2))] },
        new(4, 14, 24, CallKind.List, [], OutcomeKind.Ok) { Prefix = "k" },
    ];

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void What_faults_did_to_clocks_is_read_back()
    {
        ClockError clocks = new(FastestPerMille: 1_300, LostMicros: 7);
        using (HistoryWriter writer = new(_path, "ttl", 1, clocks)) writer.Finish();
        Assert.Equal(clocks, HistoryReader.Read(_path).Head.Clocks);
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        Write(finish: true);
        (HistoryHead head, List<ClientCall> calls) = HistoryReader.Read(_path);
        Assert.Equal(("register", 42, null), (head.Workload, head.Seed, head.Clocks));
        Assert.Equal(s_calls.Select(Text), calls.Select(Text));
    }

    [Fact]
    public void A_file_without_its_last_line_is_refused()
    {
        Write(finish: false);
        Assert.Equal("cut after line 6: the last line, which counts the calls, is missing", Assert.Throws<HistoryFileException>(() => HistoryReader.Read(_path)).Message);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        Write(finish: true);
        byte[] whole = File.ReadAllBytes(_path);
        for (int length = 0; length < whole.Length - 2; length += 7)
        {
            File.WriteAllBytes(_path, whole[..length]);
            Assert.Throws<HistoryFileException>(() => HistoryReader.Read(_path));
        }
    }

    [Theory]
    [InlineData("", "line 1")]
    [InlineData("{}", "line 1")]
    [InlineData("""{"format":"other","version":1,"workload":"set","seed":1}""", "line 1: not the head")]
    [InlineData("""{"format":"raftkv-history","version":9,"workload":"set","seed":1}""", "line 1: version 9")]
    public void A_file_that_is_none_is_refused_with_the_line(string line, string named)
    {
        File.WriteAllText(_path, line + "\n");
        Assert.StartsWith(named, Assert.Throws<HistoryFileException>(() => HistoryReader.Read(_path)).Message, StringComparison.Ordinal);
    }

    private void Write(bool finish)
    {
        using HistoryWriter writer = new(_path, "register", 42);
        foreach (ClientCall call in s_calls) writer.Write(call);
        if (finish) writer.Finish();
    }

    /// <summary>Arrays compare by reference: as text.</summary>
    private static string Text(ClientCall call) =>
        $"{call with { Operations = [], Results = [], Compares = [], Else = [] }} {string.Join(' ', call.Operations)} {string.Join(' ', call.Results)} {string.Join(' ', call.Compares)} {string.Join(' ', call.Else)}";
}
