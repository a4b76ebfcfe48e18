using RaftKv.Contracts;

namespace RaftKv.Client.Tests;

/// <summary>The client's half of the table of design §11.</summary>
public sealed class AttemptClassifierTests
{
    [Theory]
    [InlineData(200, null, null, AttemptResult.Answered)]
    [InlineData(204, null, null, AttemptResult.Answered)]
    [InlineData(404, "key-not-found", null, AttemptResult.Answered)]
    [InlineData(404, "no-such-route", "not-applied", AttemptResult.Refused)]
    [InlineData(400, "bad-argument", "not-applied", AttemptResult.Refused)]
    [InlineData(403, "permission-denied", "not-applied", AttemptResult.Refused)]
    [InlineData(409, "spans-shards", "not-applied", AttemptResult.Refused)]
    [InlineData(409, "idempotency-window-passed", "unknown", AttemptResult.Untraceable)]
    [InlineData(412, "precondition-failed", "not-applied", AttemptResult.Settled)]
    [InlineData(422, "idempotency-key-reused", "not-applied", AttemptResult.Settled)]
    [InlineData(413, "value-too-large", "not-applied", AttemptResult.Refused)]
    [InlineData(429, "overloaded", "not-applied", AttemptResult.Overloaded)]
    [InlineData(500, "internal", "unknown", AttemptResult.Untraceable)]
    [InlineData(503, "no-leader", "not-applied", AttemptResult.Unavailable)]
    [InlineData(503, "shutting-down", "not-applied", AttemptResult.Unavailable)]
    [InlineData(503, "transfer-failed", "not-applied", AttemptResult.Refused)]
    [InlineData(504, "transfer-unknown", "unknown", AttemptResult.Lost)]
    [InlineData(504, "deadline", "not-applied", AttemptResult.Unavailable)]
    [InlineData(504, "outcome-unknown", "unknown", AttemptResult.Lost)]
    [InlineData(507, "out-of-space", "not-applied", AttemptResult.Refused)]
    public void An_answer_of_a_node_says_what_became_of_the_attempt(int status, string? code, string? outcome, AttemptResult expected) =>
        Assert.Equal(expected, AttemptClassifier.Classify(status, code, outcome, code is null ? null : ErrorCode.Find(code)?.Retryable));

    /// <summary>From a proxy, say: it may have passed the request on before it gave up.</summary>
    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(520)]
    [InlineData(524)]
    [InlineData(599)]
    public void A_5xx_that_says_nothing_of_the_outcome_proves_nothing(int status)
    {
        Assert.Equal(AttemptResult.Lost, AttemptClassifier.Classify(status, null, null, null));
        Assert.Equal(AttemptResult.Lost, AttemptClassifier.ClassifyForeign(status, isRead: false));
    }

    /// <summary>Nor does a success in which nothing is of a node: a proxy may have taken our headers away.</summary>
    [Fact]
    public void A_success_of_nobody_known_proves_nothing_of_a_write_and_is_no_answer_to_a_read() =>
        Assert.Equal((AttemptResult.Lost, AttemptResult.NotSent), (AttemptClassifier.ClassifyForeign(200, isRead: false), AttemptClassifier.ClassifyForeign(200, isRead: true)));

    [Theory]
    [InlineData(302)]
    [InlineData(404)]
    [InlineData(501)]
    public void What_is_no_node_and_refuses_has_applied_nothing(int status) => Assert.Equal(AttemptResult.NotSent, AttemptClassifier.ClassifyForeign(status, isRead: false));

    [Fact]
    public void A_request_line_that_is_too_long_is_refused_by_every_node() => Assert.Equal(AttemptResult.Refused, AttemptClassifier.ClassifyForeign(414, isRead: false));

    [Theory]
    [InlineData(302)]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(412)]
    public void Any_other_answer_is_a_refusal(int status) => Assert.Equal(AttemptResult.Refused, AttemptClassifier.Classify(status, null, null, null));

    /// <summary>No code may be added to the table that a client would take for definite although it is not.</summary>
    [Fact]
    public void Whatever_the_contract_calls_unknown_is_lost_and_nothing_else_is()
    {
        foreach (ErrorCode error in ErrorCode.All)
        {
            AttemptResult result = AttemptClassifier.Classify(error.HttpStatus, error.Code, error.OutcomeText, error.Retryable);
            Assert.Equal(error.Outcome == ErrorOutcome.Unknown, result is AttemptResult.Lost or AttemptResult.Untraceable);
        }
    }
}
