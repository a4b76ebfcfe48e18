using System.IO.Pipelines;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>Writes a peer's queue to its connection: everything that waits, in few flushes. Hot path; nothing is allocated per frame.</summary>
/// <remarks>Owned by one <see cref="PeerLink"/>, for all its connections one after another.</remarks>
internal sealed class LinkDrain(string peer, PeerChannel channel, SendQueue queue, TransportMetrics metrics)
{
    /// <summary>So many bytes are flushed at once: bounds what the connection buffers beside the queue.</summary>
    private const int FlushBytes = 256 * 1024;

    private byte[] _batch = new byte[SendQueue.InitialBytes];

    /// <summary>Returns when the queue is closed or the connection says it has ended; otherwise throws what the connection throws.</summary>
    public async Task RunAsync(PipeWriter output)
    {
        while (await queue.WaitAsync())
        {
            var (frames, bytes) = queue.TakeAll(ref _batch);
            for (int at = 0; at < bytes; at += FlushBytes)
            {
                FlushResult result = await output.WriteAsync(_batch.AsMemory(at, Math.Min(FlushBytes, bytes - at)));
                if (result.IsCompleted) return;
            }

            queue.Release(frames, bytes); // all at once: the buffer is held until then
            metrics.Sent(peer, channel, frames, bytes);
        }
    }
}
