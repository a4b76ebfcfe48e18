using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>One chunk of a list: bounded in rows, bytes and work, whatever stands in the store.</summary>
public sealed class ListTests : IDisposable
{
    private readonly SimStore _store = new();
    private readonly KvStateMachine _machine;

    public ListTests()
    {
        KvStateMachine.InitialiseStore(_store, Shard.BirthMeta(Entries.Half), Configuration.Empty);
        _machine = new KvStateMachine(Shard.Id, _store, Limits.Default);
    }

    public void Dispose()
    {
        _machine.Dispose();
        _store.Dispose();
    }

    /// <summary>Everybody else waits while a chunk is made.</summary>
    [Fact]
    public void Deleted_keys_end_a_chunk_too_and_the_next_goes_on_behind_them()
    {
        string[] keys = [.. Enumerable.Range(0, 9_000).Select(i => $"k{i:d5}").Where(key => Entries.Half.Contains(KeyHash.Of(Entries.Bytes(key))))];
        Apply(keys.Select(key => new KvRequest(KvOperation.Put, Entries.Bytes(key))));
        Apply(keys[..^1].Select(key => new KvRequest(KvOperation.Delete, Entries.Bytes(key))));
        int chunks = 1;
        KvListChunk chunk = List();
        Assert.Equal((0UL, true), (chunk.Count, chunk.Next is not null));
        for (; chunk.Next is { } next; chunks++) chunk = List(start: next);
        Assert.Equal(keys[^1], System.Text.Encoding.UTF8.GetString(Assert.Single(chunk.Rows).Key.Span));
        Assert.InRange(chunks, 3, 10);
    }

    [Fact]
    public void A_key_of_many_versions_is_one_step_or_two()
    {
        byte[] key = Entries.Keys.First(key => Entries.Half.Contains(KeyHash.Of(key)));
        Apply(Enumerable.Range(0, 5_000).Select(i => new KvRequest(KvOperation.Put, key, Entries.Bytes($"{i}"))));
        KvListChunk chunk = List();
        Assert.Null(chunk.Next);
        Assert.Equal((5_000UL, "4999"), (Assert.Single(chunk.Rows).Version, System.Text.Encoding.UTF8.GetString(chunk.Rows[0].Value.Span)));
        Assert.Equal("16", System.Text.Encoding.UTF8.GetString(Assert.Single(List(revision: 17).Rows).Value.Span));
    }

    [Fact]
    public void A_value_above_the_bytes_asked_for_is_left_out_if_it_is_the_first_and_else_left_for_the_next_chunk()
    {
        byte[][] keys = [.. Entries.Keys.Where(key => Entries.Half.Contains(KeyHash.Of(key))).OrderBy(Convert.ToHexString, StringComparer.Ordinal).Take(3)];
        Apply([new KvRequest(KvOperation.Put, keys[0], new byte[3]), new KvRequest(KvOperation.Put, keys[1], new byte[1_000]), new KvRequest(KvOperation.Put, keys[2], new byte[3])]);
        KvListChunk first = List(maxBytes: 100);
        Assert.Equal((1, false), (first.Rows.Length, first.Rows[0].IsValueLeftOut));
        KvListChunk second = List(maxBytes: 100, start: first.Next!.Value);
        Assert.Equal((1, true, 0), (second.Rows.Length, second.Rows[0].IsValueLeftOut, second.Rows[0].Value.Length));
        Assert.Equal(3, List(maxBytes: 100, keysOnly: true).Rows.Length);
        Assert.False(List(maxBytes: 0, keysOnly: true).Rows[0].IsValueLeftOut);
    }

    [Fact]
    public void Of_hashes_that_it_does_not_own_a_shard_says_nothing()
    {
        Assert.Null(_machine.List(new KvListRequest(new HashRange(1UL << 63, 0), default, default, 0, 10, 10)));
        Assert.Equal(new HashRange(5, 1UL << 63), _machine.List(new KvListRequest(new HashRange(5, 0), default, default, 0, 10, 10))!.Covered);
    }

    private KvListChunk List(ReadOnlyMemory<byte> start = default, ulong revision = 0, uint maxBytes = 1_000_000, bool keysOnly = false) =>
        _machine.List(new KvListRequest(HashRange.Full, start, default, revision, 1_000, maxBytes, keysOnly))!;

    private void Apply(IEnumerable<KvRequest> requests)
    {
        _machine.Begin();
        foreach (KvRequest request in requests) _machine.Apply(Entries.Command(_machine.Applied.Next.Value, request), false);
        _machine.Commit();
    }
}
