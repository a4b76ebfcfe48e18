using System.Reflection;

namespace RaftKv.Contracts.Tests;

public sealed class ErrorCodeTests
{
    [Fact]
    public void The_table_holds_every_code_declared_exactly_once()
    {
        ErrorCode[] declared = [.. typeof(ErrorCode).GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.FieldType == typeof(ErrorCode)).Select(f => (ErrorCode)f.GetValue(null)!)];
        Assert.Equal(declared, ErrorCode.All.AsEnumerable());
        Assert.Equal(declared.Length, declared.Distinct().Count());
    }

    [Fact]
    public void Each_code_is_unique_and_found_by_its_text()
    {
        foreach (ErrorCode error in ErrorCode.All) Assert.Same(error, ErrorCode.Find(error.Code));
        Assert.Null(ErrorCode.Find("no-such-code"));
    }

    [Fact]
    public void Each_code_is_complete()
    {
        foreach (ErrorCode error in ErrorCode.All)
        {
            Assert.Matches("^[a-z]+(-[a-z]+)*$", error.Code);
            Assert.InRange(error.HttpStatus, 400, 599);
            Assert.True(Enum.IsDefined(error.GrpcStatus), error.Code);
            Assert.True(Enum.IsDefined(error.Outcome), error.Code);
            Assert.EndsWith(".", error.Title, StringComparison.Ordinal);
            Assert.Equal(error.Outcome switch { ErrorOutcome.NotApplied => "not-applied", ErrorOutcome.Unknown => "unknown", _ => null }, error.OutcomeText);
        }
    }

    /// <summary>Codes are released: this list only ever grows (design §11; the numbers are gRPC's).</summary>
    [Theory]
    [InlineData("bad-argument", 400, 3, "not-applied", false)]
    [InlineData("key-empty", 400, 3, "not-applied", false)]
    [InlineData("key-too-long", 400, 3, "not-applied", false)]
    [InlineData("bad-key-encoding", 400, 3, "not-applied", false)]
    [InlineData("unknown-parameter", 400, 3, "not-applied", false)]
    [InlineData("bad-revision", 400, 3, "not-applied", false)]
    [InlineData("bad-condition", 400, 3, "not-applied", false)]
    [InlineData("bad-ttl", 400, 3, "not-applied", false)]
    [InlineData("bad-consistency", 400, 3, "not-applied", false)]
    [InlineData("bad-cursor", 400, 3, "not-applied", false)]
    [InlineData("bad-deadline", 400, 3, "not-applied", false)]
    [InlineData("bad-idempotency-key", 400, 3, "not-applied", false)]
    [InlineData("unauthenticated", 401, 16, "not-applied", false)]
    [InlineData("permission-denied", 403, 7, "not-applied", false)]
    [InlineData("key-not-found", 404, 0, null, false)]
    [InlineData("no-such-route", 404, 12, "not-applied", false)]
    [InlineData("no-such-shard", 404, 5, "not-applied", false)]
    [InlineData("no-such-node", 404, 5, "not-applied", false)]
    [InlineData("method-not-allowed", 405, 12, "not-applied", false)]
    [InlineData("spans-shards", 409, 9, "not-applied", false)]
    [InlineData("idempotency-window-passed", 409, 9, "unknown", false)]
    [InlineData("revision-compacted", 410, 11, null, false)]
    [InlineData("precondition-failed", 412, 0, "not-applied", false)]
    [InlineData("value-too-large", 413, 3, "not-applied", false)]
    [InlineData("batch-too-large", 413, 3, "not-applied", false)]
    [InlineData("idempotency-key-reused", 422, 3, "not-applied", false)]
    [InlineData("overloaded", 429, 8, "not-applied", true)]
    [InlineData("rate-limited", 429, 8, "not-applied", true)]
    [InlineData("idempotency-records-full", 429, 8, "not-applied", true)]
    [InlineData("no-leader", 503, 14, "not-applied", true)]
    [InlineData("wrong-shard", 503, 14, "not-applied", true)]
    [InlineData("shutting-down", 503, 14, "not-applied", true)]
    [InlineData("transfer-failed", 503, 14, "not-applied", true)]
    [InlineData("deadline", 504, 4, "not-applied", true)]
    [InlineData("outcome-unknown", 504, 4, "unknown", true)]
    [InlineData("transfer-unknown", 504, 4, "unknown", true)]
    [InlineData("out-of-space", 507, 8, "not-applied", true)]
    [InlineData("internal", 500, 13, "unknown", false)]
    public void A_code_keeps_its_meaning(string code, int http, int grpc, string? outcome, bool retryable)
    {
        ErrorCode error = ErrorCode.Find(code)!;
        Assert.Equal((http, (GrpcStatus)grpc, outcome, retryable), (error.HttpStatus, error.GrpcStatus, error.OutcomeText, error.Retryable));
    }

    [Fact]
    public void Every_code_is_pinned_above()
    {
        var pinned = typeof(ErrorCodeTests).GetMethod(nameof(A_code_keeps_its_meaning))!.GetCustomAttributes<InlineDataAttribute>().Select(a => (string)a.Data[0]!).ToHashSet();
        Assert.Equal(ErrorCode.All.Select(e => e.Code).Order(StringComparer.Ordinal), pinned.Order(StringComparer.Ordinal));
    }
}
