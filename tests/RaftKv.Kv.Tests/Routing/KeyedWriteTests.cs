using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>
/// A write with an idempotency key may be repeated while an earlier attempt's outcome is unknown; what is said of it then is what
/// is known of all attempts (design §3.3, §3.4).
/// </summary>
public sealed class KeyedWriteTests
{
    private const long Retry = 500_000;
    private static readonly KvResponse Done = new() { Node = "n2", Group = new GroupId(1), Term = new Term(6), Index = new LogIndex(20), Revision = 5 };
    private static readonly KvResponse NotLeader = KvResponse.Fail(ErrorCode.NoLeader, "not here", "n2");

    [Fact]
    public void It_is_repeated_on_silence_under_a_new_number_with_the_same_bytes()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Call(Keyed(node));
        node.After(Retry - 1);
        SentForward first = Assert.Single(node.TakeForwards());
        node.Tick();
        SentForward second = Assert.Single(node.TakeForwards());
        Assert.Equal((1UL, 2UL), (first.Number, second.Number));
        Assert.Equal(first.Request, second.Request);
        node.Answered(FrontNode.N2, 1, Done with { Revision = 1 }); // The first number means nothing any more.
        Assert.Null(put.Response);
        node.Answered(FrontNode.N2, 2, Done with { IsReplay = true });
        Assert.Equal((null, true, 5UL), (put.Ended.Error, put.Ended.IsReplay, put.Ended.Revision));
    }

    [Fact]
    public void The_time_between_repetitions_begins_with_the_option_and_doubles()
    {
        FrontNode node = FrontNode.FollowerOfN2(options => options with { RetryMicros = 100_000 });
        node.Call(Keyed(node));
        for (int i = 0; i < 6; i++) node.Tick();
        Assert.Equal([1UL, 2UL, 3UL], node.TakeForwards().Select(forward => forward.Number));
    }

    [Fact]
    public void Without_a_key_it_is_never_repeated()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put(deadlineMicros: 10_000_000);
        for (int i = 0; i < 100; i++) node.Tick();
        Assert.Single(node.TakeForwards());
        Assert.Null(put.Response);
        node.Receive(node.From(3, MessageKind.Heartbeat, 7)); // Another leads: whoever had it is most likely dead.
        node.After(Retry);
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
        Assert.Empty(node.TakeForwards());
    }

    [Fact]
    public void It_is_repeated_at_the_new_leader()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Call(Keyed(node));
        node.TakeForwards();
        node.Receive(node.From(3, MessageKind.Heartbeat, 7));
        node.After(Retry);
        Assert.Equal(FrontNode.N3, Assert.Single(node.TakeForwards()).To);
    }

    /// <summary>That the last attempt was not applied says nothing of the first.</summary>
    [Theory]
    [InlineData("overloaded", true)]
    [InlineData("wrong-shard", true)]
    [InlineData("idempotency-records-full", true)]
    [InlineData("idempotency-window-passed", false)] // It says itself that it does not know.
    [InlineData("precondition-failed", false)]
    [InlineData("idempotency-key-reused", false)]
    public void After_an_unknown_attempt_only_an_answer_for_all_attempts_is_definite(string code, bool becomesUnknown)
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Call(Keyed(node));
        node.After(Retry);
        node.Answered(FrontNode.N2, 2, KvResponse.Fail(ErrorCode.Find(code)!, "why", "n2"));
        Assert.Same(becomesUnknown ? ErrorCode.OutcomeUnknown : ErrorCode.Find(code), put.Ended.Error);
        if (becomesUnknown) Assert.Contains(code, put.Ended.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_attempt_stays_unknown_at_the_deadline_though_every_later_one_was_refused()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Call(Keyed(node), 1_000_000);
        node.After(Retry);
        node.Answered(FrontNode.N2, 2, NotLeader);
        node.Tick();
        node.Answered(FrontNode.N2, 3, NotLeader);
        node.After(Retry);
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
    }

    [Fact]
    public void One_whose_every_attempt_was_refused_is_definite_at_its_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Call(Keyed(node), 100_000);
        node.Answered(FrontNode.N2, 1, NotLeader);
        node.After(100_000);
        Assert.Same(ErrorCode.NoLeader, put.Ended.Error);
    }

    [Fact]
    public void What_this_leader_has_in_its_log_is_not_appended_again_while_it_leads()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall put = node.Call(Keyed(node));
        node.After(Retry);
        node.After(Retry);
        Assert.Equal(12UL, node.Group.LastIndex.Value);
        Assert.Empty(node.TakeForwards());
        Assert.Null(put.Response);
    }

    [Fact]
    public void A_deposed_leader_repeats_it_at_the_new_one_and_the_entry_may_be_applied_first()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall put = node.Call(Keyed(node));
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        node.After(Retry);
        SentForward again = Assert.Single(node.TakeForwards());
        Assert.Equal((FrontNode.N2, false), (again.To, put.IsCompleted));
        // The new leader had the entry: it is applied here too, and that is the answer.
        node.Receive(node.From(2, MessageKind.Append, 7) with { Index = new LogIndex(12), LogTerm = new Term(6), Commit = new LogIndex(12) });
        Assert.Equal((null, 12UL, false), (put.Ended.Error, put.Ended.Index.Value, put.Ended.IsReplay));
        node.Answered(FrontNode.N2, again.Number, Done with { IsReplay = true });
    }

    [Fact]
    public void Served_twice_here_the_second_says_where_the_first_stands()
    {
        FrontNode node = FrontNode.Alone();
        KvRequest request = Keyed(node);
        KvResponse first = node.Call(request).Ended;
        node.Put("other");
        KvResponse second = node.Call(request).Ended;
        Assert.Equal(first with { IsReplay = true }, second);
        Assert.Equal(12UL, second.Index.Value);
        KvResponse reused = node.Call(request with { Value = "else"u8.ToArray() }).Ended;
        Assert.Same(ErrorCode.IdempotencyKeyReused, reused.Error);
    }

    [Fact]
    public void A_forwarded_one_under_two_numbers_is_applied_once_and_answered_twice()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(7, Keyed(node));
        node.Forwarded(8, Keyed(node));
        SentAnswer[] answers = node.TakeAnswers();
        Assert.Equal([(7UL, 12UL, 1UL, false), (8UL, 12UL, 1UL, true)], answers.Select(answer => (answer.Number, answer.Response.Index.Value, answer.Response.Revision, answer.Response.IsReplay)));
    }

    [Fact]
    public void One_for_which_there_is_no_record_left_is_refused_with_both_numbers_here_and_over_the_link()
    {
        FrontNode node = FrontNode.Alone(limits: Limits.Default with { MaxIdempotencyRecordsPerShard = 1 });
        node.Call(Keyed(node));
        KvResponse refused = node.Call(Keyed(node) with { IdempotencyKey = "id-2"u8.ToArray() }).Ended;
        Assert.Equal((ErrorCode.IdempotencyRecordsFull, (1L, 1L)), (refused.Error, refused.Exceeded!.Value));
        Assert.Contains("have come to 1, the limit is 1", refused.Detail, StringComparison.Ordinal);
        node.Forwarded(7, Keyed(node) with { IdempotencyKey = "id-3"u8.ToArray() });
        Assert.Equal((1L, 1L), Assert.Single(node.TakeAnswers()).Response.Exceeded!.Value);
    }

    /// <summary>Until this leader applied an entry of its own term, its writes carry no stamp; then they move the shard's time.</summary>
    [Fact]
    public void A_ttl_passes_by_the_leaders_own_command()
    {
        FrontNode node = FrontNode.Alone();
        node.Call(new KvRequest(KvOperation.Put, node.KeyIn(1), "v"u8.ToArray(), TtlMillis: 2_000));
        KvResponse read = node.Get().Ended;
        Assert.Equal((true, 2_000UL), (read.Existed, read.TtlMillis));
        for (int i = 0; i < 39; i++) node.Tick();
        Assert.True(node.Get().Ended.Existed);
        node.Tick();
        node.Tick();
        Assert.False(node.Get().Ended.Existed);
    }

    private static KvRequest Keyed(FrontNode node) => new(KvOperation.Put, node.KeyIn(1), "value"u8.ToArray(), IdempotencyKey: "id-1"u8.ToArray());
}
