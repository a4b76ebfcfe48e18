using RaftKv.Raft;

namespace RaftKv.Kv;

/// <content>Requests on several keys of the shard.</content>
public sealed partial class KvStateMachine
{
    /// <summary>Each item as if it had come alone, one after the other, in one entry.</summary>
    private KvApplied[] ApplyBatch(in Entry entry, in KvRequest request)
    {
        KvBatch batch = KvBatch.Decode(request.Value);
        KvApplied[] results = new KvApplied[batch.Items.Length];
        for (int i = 0; i < results.Length; i++)
        {
            KvBatchItem item = batch.Items[i];
            results[i] = ApplyOnce(entry, item.Request, new WriteName(request.IdempotencyKey, item.Position, batch.Fingerprint));
        }

        return results;
    }
}
