using System.Collections.Immutable;
using System.Text;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Client;
using CheckingPosition = RaftKv.Checking.Position;
using RequestKind = RaftKv.Checking.RequestKind;

namespace RaftKv.Harness.Clients;

/// <summary>
/// One client of the run, with one call open at a time. It calls through <see cref="RaftKvClient"/>, as users do, and records each call under the outcome that the library gives
/// it, one to one: so a mistake of the library's is a finding too. After an unknown outcome it goes on as another process (Jepsen's rule).
/// </summary>
/// <remarks>Owned by one worker; not thread-safe.</remarks>
internal sealed class ApiClient : IDisposable
{
    private readonly RaftKvClient _client;
    private readonly RunClock _clock;
    private readonly Recorder _recorder;
    private readonly ProcessNumbers _processes;

    /// <param name="endpoints">The first one is asked first; with a single one it never asks another node.</param>
    /// <param name="hasKeys">Writes carry idempotency keys, and are tried again when an attempt was lost.</param>
    public ApiClient(IReadOnlyList<ClientEndpoint> endpoints, bool hasKeys, TimeSpan timeout, int seed, RunClock clock, Recorder recorder, ProcessNumbers processes)
    {
        (_clock, _recorder, _processes) = (clock, recorder, processes);
        Process = processes.Next();
        _client = new RaftKvClient(new RaftKvClientOptions
        {
            Endpoints = endpoints,
            Timeout = timeout,
            ConnectTimeout = TimeSpan.FromMilliseconds(500),
            FailWhenNoneListens = true,
            IdempotencyKeys = hasKeys,
            Seed = seed,
        });
    }

    public int Process { get; private set; }

    public async Task<ClientCall> GetAsync(string key, Freshness freshness = Freshness.Linearizable, CancellationToken stop = default)
    {
        ClientCall open = Open(CallKind.Get, [KvOperation.Get(key)]) with { Freshness = freshness };
        GetResult result = await _client.GetAsync(Bytes(key), new GetOptions(freshness switch { Freshness.Lease => ReadConsistency.Lease, Freshness.Stale => ReadConsistency.Stale, _ => ReadConsistency.Linearizable }), stop);
        if (result.Outcome != RequestOutcome.Applied) return Close(open, OutcomeKind.Failed, result.Position, result.Error);
        KvResult found = new(key, OutcomeKind.Ok, result.Value is not null, Text(result.Value), result.Revision, 0, result.Version, PositionOf(result.Position, RequestKind.Get));
        return Close(open with { Results = [found], AgeMillis = (long?)result.Age?.TotalMilliseconds }, OutcomeKind.Ok, result.Position);
    }

    /// <summary>A put or delete.</summary>
    /// <param name="idempotencyKey">Ties it to other attempts at the same write; null for none but the client's own.</param>
    public async Task<ClientCall> WriteAsync(KvOperation operation, string? idempotencyKey = null, CancellationToken stop = default)
    {
        ClientCall open = Open(operation.Kind == RequestKind.Put ? CallKind.Put : CallKind.Delete, [operation]) with { IdempotencyKey = idempotencyKey ?? "" };
        WriteCondition condition = ConditionOf(operation);
        WriteResult result = operation.Kind == RequestKind.Put
            ? await _client.PutAsync(Bytes(operation.Key), Bytes(operation.Value!), condition, operation.TtlSeconds is { } ttl ? TimeSpan.FromSeconds(ttl) : null, idempotencyKey, stop)
            : await _client.DeleteAsync(Bytes(operation.Key), condition, idempotencyKey, stop);
        OutcomeKind outcome = result switch
        {
            { Outcome: RequestOutcome.Applied } => OutcomeKind.Ok,
            { Outcome: RequestOutcome.Unknown } => OutcomeKind.Unknown,
            { Error.Status: 412 } => OutcomeKind.Refused,
            _ => OutcomeKind.Failed,
        };
        if (outcome is OutcomeKind.Unknown or OutcomeKind.Failed) return Close(open, outcome, result.Position, result.Error);
        bool isRefused = outcome == OutcomeKind.Refused;
        // A delete that found nothing changed nothing: its revision is the shard's.
        bool isChange = !isRefused && (operation.Kind == RequestKind.Put || result.PrevRevision > 0);
        KvResult item = new(
            operation.Key, outcome, !isRefused && result.PrevRevision > 0, null, isRefused ? result.CurrentRevision : isChange ? result.Revision : 0, result.PrevRevision, 0,
            PositionOf(result.Position, operation.Kind));
        return Close(open with { Results = [item], IsReplay = result.IsReplay }, outcome, result.Position);
    }

    public async Task<ClientCall> BatchAsync(ImmutableArray<KvOperation> operations, CancellationToken stop = default)
    {
        ClientCall open = Open(CallKind.Batch, operations);
        BatchResult result = await _client.BatchAsync([.. operations.Select(ToClient)], stop);
        if (result.Outcome != RequestOutcome.Applied) return Close(open, OutcomeOf(result.Outcome), null, result.Error);
        return Close(open with { Results = [.. result.Items.Select((item, i) => ResultOf(operations[i], item, isOneEntry: operations[i].Kind != RequestKind.Get, i))] }, OutcomeKind.Ok, null);
    }

    /// <summary>On keys of one shard.</summary>
    public async Task<ClientCall> TxnAsync(ImmutableArray<KvCompare> compares, ImmutableArray<KvOperation> then, ImmutableArray<KvOperation> otherwise, CancellationToken stop = default)
    {
        ClientCall open = Open(CallKind.Txn, then) with { Compares = compares, Else = otherwise };
        Txn txn = new(
            [.. compares.Select(compare => compare.Revision == 0 ? Compare.Exists(Bytes(compare.Key), exists: false) : Compare.RevisionIs(Bytes(compare.Key), compare.Revision))],
            [.. then.Select(ToClient)], [.. otherwise.Select(ToClient)]);
        TxnResult result = await _client.TxnAsync(txn, stop);
        if (result.Outcome != RequestOutcome.Applied) return Close(open, OutcomeOf(result.Outcome), result.Position, result.Error);
        ImmutableArray<KvOperation> ran = result.Succeeded ? then : otherwise;
        return Close(
            open with { Succeeded = result.Succeeded, IsReplay = result.IsReplay, Results = [.. result.Items.Select((item, i) => ResultOf(ran[i], item, open.IsWrite, i))] },
            OutcomeKind.Ok, result.Position);
    }

    public async Task<ClientCall> ListAsync(string prefix, CancellationToken stop = default)
    {
        ClientCall open = Open(CallKind.List, []) with { Prefix = prefix };
        try
        {
            ImmutableArray<KvResult>.Builder found = ImmutableArray.CreateBuilder<KvResult>();
            await foreach (ListItem item in _client.ListAsync(new ListQuery(Prefix: Bytes(prefix)), stop))
                found.Add(new KvResult(Text(item.Key)!, OutcomeKind.Ok, true, Text(item.Value), item.Revision, 0, item.Version, PositionOf(item.Position, RequestKind.Get)));
            return Close(open with { Results = found.ToImmutable() }, OutcomeKind.Ok, null);
        }
        catch (ListFailedException failure)
        {
            return Close(open, OutcomeKind.Failed, null, failure.Error);
        }
    }

    public void Dispose() => _client.Dispose();

    private ClientCall Open(CallKind kind, ImmutableArray<KvOperation> operations) => new(Process, _clock.NowMicros, RaftKv.Checking.Operation.Never, kind, operations, OutcomeKind.Unknown);

    private ClientCall Close(ClientCall open, OutcomeKind outcome, RaftKv.Client.Position? position, RequestError? error = null)
    {
        ClientCall closed = open with
        {
            Outcome = outcome,
            Return = outcome == OutcomeKind.Unknown ? RaftKv.Checking.Operation.Never : _clock.NowMicros,
            Node = position?.Node ?? "",
            Error = error?.Code ?? "",
        };
        _recorder.Add(closed);
        if (outcome == OutcomeKind.Unknown) Process = _processes.Next();
        return closed;
    }

    private static KvResult ResultOf(KvOperation operation, OperationResult item, bool isOneEntry, int ordinal)
    {
        bool isRefused = item.Error?.Status == 412;
        OutcomeKind outcome = isRefused ? OutcomeKind.Refused : item.Outcome == RequestOutcome.Rejected ? OutcomeKind.Failed : OutcomeOf(item.Outcome);
        if (outcome is OutcomeKind.Unknown or OutcomeKind.Failed) return new KvResult(operation.Key, outcome, false, null, 0, 0, 0, null);
        bool isChange = !isRefused && (operation.Kind == RequestKind.Put || (operation.Kind == RequestKind.Delete && item.Existed));
        bool isKnown = isRefused || isChange || item.Value is not null;
        RaftKv.Client.Position at = item.Position;
        CheckingPosition? position = at.Shard == 0 ? null
            : isOneEntry ? CheckingPosition.OfWrite(at.Shard, at.Index, at.Item ?? ordinal) : CheckingPosition.OfRead(at.Shard, at.Index);
        return new KvResult(operation.Key, outcome, item.Existed, Text(item.Value), isKnown ? item.Revision : 0, item.PrevRevision, item.Version, position);
    }

    private static OutcomeKind OutcomeOf(RequestOutcome outcome) => outcome switch { RequestOutcome.Applied => OutcomeKind.Ok, RequestOutcome.Unknown => OutcomeKind.Unknown, _ => OutcomeKind.Failed };

    private static CheckingPosition? PositionOf(RaftKv.Client.Position at, RequestKind kind) =>
        at.Shard == 0 ? null : kind == RequestKind.Get ? CheckingPosition.OfRead(at.Shard, at.Index) : CheckingPosition.OfWrite(at.Shard, at.Index);

    private static WriteCondition ConditionOf(KvOperation operation) => operation.Condition switch
    {
        ConditionKind.IfMatch => WriteCondition.IfRevision(operation.MatchRevision),
        ConditionKind.IfNoneMatch => WriteCondition.IfAbsent,
        _ => WriteCondition.None,
    };

    private static RaftKv.Client.Operation ToClient(KvOperation operation) => operation.Kind switch
    {
        RequestKind.Put => RaftKv.Client.Operation.Put(Bytes(operation.Key), Bytes(operation.Value!), operation.TtlSeconds is { } ttl ? TimeSpan.FromSeconds(ttl) : null, ConditionOf(operation)),
        RequestKind.Delete => RaftKv.Client.Operation.Delete(Bytes(operation.Key), ConditionOf(operation)),
        _ => RaftKv.Client.Operation.Get(Bytes(operation.Key)),
    };

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);
}

/// <summary>Gives each client, and each life of it after an unknown outcome, a number of its own. Thread-safe.</summary>
internal sealed class ProcessNumbers
{
    private int _last = -1;

    public int Next() => Interlocked.Increment(ref _last);
}
