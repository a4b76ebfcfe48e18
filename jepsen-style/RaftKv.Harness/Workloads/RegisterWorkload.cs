using System.Collections.Concurrent;
using System.Globalization;
using RaftKv.Checking;
using RaftKv.Checking.Histories;

namespace RaftKv.Harness.Workloads;

/// <summary>
/// Puts, gets, compare-and-sets and deletes of a few keys at a time. A key is left for a new one after some hundred calls, so that the search has short histories; every
/// value is written once.
/// </summary>
internal sealed class RegisterWorkload(int shards) : Workload
{
    private const int CallsPerKey = 300;
    private readonly Slot[] _slots = [.. Enumerable.Range(0, Math.Max(5, 2 * shards)).Select(slot => new Slot(slot))];
    private readonly ConcurrentDictionary<string, bool> _keys = [];

    /// <inheritdoc/>
    public override string Name => "register";

    /// <inheritdoc/>
    public override string Summary => "single keys are linearizable: put, get, compare-and-set, delete";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Get, CallKind.Put, CallKind.Delete];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        Slot slot = _slots[worker.Random.Next(_slots.Length)];
        string key = slot.NextKey(CallsPerKey);
        _keys.TryAdd(key, true);
        ulong seen = slot.RevisionOf(key);
        int dice = worker.Random.Next(100);
        ClientCall call = dice switch
        {
            < 40 => await worker.Client.GetAsync(key, stop: stop),
            < 65 => await worker.Client.WriteAsync(KvOperation.Put(key, NextValue()), stop: stop),
            < 90 when seen > 0 => await worker.Client.WriteAsync(KvOperation.Put(key, NextValue()).IfMatch(seen), stop: stop),
            < 90 => await worker.Client.WriteAsync(KvOperation.Put(key, NextValue()).IfAbsent(), stop: stop),
            < 95 when seen > 0 => await worker.Client.WriteAsync(KvOperation.Delete(key).IfMatch(seen), stop: stop),
            _ => await worker.Client.WriteAsync(KvOperation.Delete(key), stop: stop),
        };
        slot.Note(key, call);
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreReadAsync(worker, _keys.Keys.Order(StringComparer.Ordinal), stop);

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => RegisterChecks.Of(history);

    /// <summary>One of the keys that are in use, and the revision that was last seen of it, which conditions name.</summary>
    private sealed class Slot(int number)
    {
        private readonly Lock _lock = new();
        private int _calls;
        private ulong _revision;

        public string NextKey(int callsPerKey)
        {
            lock (_lock)
            {
                if (_calls++ % callsPerKey == 0) _revision = 0;
                return Key(callsPerKey);
            }
        }

        public ulong RevisionOf(string key)
        {
            lock (_lock) return key == Key(CallsPerKey) ? _revision : 0;
        }

        public void Note(string key, ClientCall call)
        {
            if (call.Results is not [{ } result]) return;
            lock (_lock) if (key == Key(CallsPerKey)) _revision = call.Kind == CallKind.Delete && call.Outcome == OutcomeKind.Ok ? 0 : result.Revision;
        }

        private string Key(int callsPerKey) => string.Create(CultureInfo.InvariantCulture, $"r{number}-{(_calls - 1) / callsPerKey}");
    }
}
