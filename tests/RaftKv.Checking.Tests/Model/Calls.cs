using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Tests.Model;

/// <summary>Short words for calls, asked and answered. Where nothing else is said, indexes are the revisions, and the shard is 1.</summary>
internal static class Calls
{
    public static ClientCall Asked(CallKind kind, params KvOperation[] operations) => new(0, 0, 0, kind, [.. operations], OutcomeKind.Unknown);

    public static ClientCall AskGet(string key, Freshness freshness = Freshness.Linearizable) => Asked(CallKind.Get, KvOperation.Get(key)) with { Freshness = freshness };

    public static ClientCall AskPut(string key, string value, int? ttl = null) => Asked(CallKind.Put, KvOperation.Put(key, value, ttl));

    public static ClientCall AskDelete(string key) => Asked(CallKind.Delete, KvOperation.Delete(key));

    public static ClientCall AskList(string prefix) => Asked(CallKind.List) with { Prefix = prefix };

    public static ClientCall By(this ClientCall call, int process) => call with { Process = process };

    /// <summary>Answered so, in this interval.</summary>
    public static ClientCall During(this ClientCall call, long from, long to, params KvResult[] results) =>
        call with { Call = from, Return = to, Outcome = call.Kind is CallKind.Txn or CallKind.Batch or CallKind.List ? OutcomeKind.Ok : results[0].Outcome, Results = [.. results], Succeeded = call.Kind == CallKind.Txn };

    public static ClientCall UnknownFrom(this ClientCall call, long from) => call with { Call = from, Return = Operation.Never, Outcome = OutcomeKind.Unknown };

    public static ClientCall FailedDuring(this ClientCall call, long from, long to) => call with { Call = from, Return = to, Outcome = OutcomeKind.Failed };

    public static ClientCall Keyed(this ClientCall call, string idempotencyKey, bool isReplay = false) => call with { IdempotencyKey = idempotencyKey, IsReplay = isReplay };

    public static ClientCall Put(long from, long to, string key, string value, ulong revision, ulong previous = 0, ulong? index = null) =>
        AskPut(key, value).During(from, to, Written(key, revision, previous, index));

    public static ClientCall Get(long from, long to, string key, string? value, ulong revision = 0, ulong? index = null) => AskGet(key).During(from, to, Found(key, value, revision, index));

    public static ClientCall Delete(long from, long to, string key, ulong revision, ulong previous) =>
        AskDelete(key).During(from, to, new KvResult(key, OutcomeKind.Ok, previous > 0, null, revision, previous, 0, Position.OfWrite(1, revision)));

    public static ClientCall List(long from, long to, string prefix, params KvResult[] found) => AskList(prefix).During(from, to, found);

    public static KvResult Written(string key, ulong revision, ulong previous = 0, ulong? index = null) =>
        new(key, OutcomeKind.Ok, previous > 0, null, revision, previous, 0, Position.OfWrite(1, index ?? revision));

    /// <summary>Found, or absent for null.</summary>
    public static KvResult Found(string key, string? value, ulong revision = 0, ulong? index = null, ulong version = 1) =>
        new(key, OutcomeKind.Ok, value is not null, value, revision, 0, value is null ? 0 : version, Position.OfRead(1, index ?? revision));

    public static KvResult Refused(string key, ulong current, ulong index) => new(key, OutcomeKind.Refused, false, null, current, 0, 0, Position.OfWrite(1, index));

    public static void AssertValid(CheckVerdict verdict)
    {
        Assert.True(verdict.Finding is null, verdict.Finding is { } finding ? $"{finding.Sentence}\n{finding.Detail}\n{CallText.Lines(finding.Calls)}" : "");
        Assert.True(verdict.Unknown is null, verdict.Unknown);
    }

    /// <summary>Convicted, with this in the sentence, by this many calls.</summary>
    public static Finding AssertInvalid(CheckVerdict verdict, string sentence, int? calls = null)
    {
        Assert.NotNull(verdict.Finding);
        Assert.Contains(sentence, verdict.Finding.Sentence, StringComparison.Ordinal);
        Assert.NotEmpty(verdict.Finding.Calls);
        if (calls is not null) Assert.Equal(calls, verdict.Finding.Calls.Count);
        Assert.Equal(Verdict.NotLinearizable, verdict.Verdict);
        return verdict.Finding;
    }

    public static void AssertUnknown(CheckVerdict verdict, string reason)
    {
        Assert.Null(verdict.Finding);
        Assert.Contains(reason, verdict.Unknown, StringComparison.Ordinal);
        Assert.Equal(Verdict.Unknown, verdict.Verdict);
    }
}
