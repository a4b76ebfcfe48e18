using System.Buffers;
using System.IO.Pipelines;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>Writes a peer's queue to its connection: everything that waits, then one flush. Hot path; nothing is allocated per frame.</summary>
/// <remarks>Owned by one <see cref="PeerLink"/>, for all its connections one after another.</remarks>
internal sealed class LinkDrain(string peer, PeerChannel channel, SendQueue queue, TransportMetrics metrics)
{
    /// <summary>A larger frame is handed to the connection as it is, not copied into its buffer.</summary>
    private const int CopyBytes = 16 * 1024;

    /// <summary>Copied bytes are flushed at the latest when they are so many: bounds the buffer beside the queue.</summary>
    private const int FlushBytes = 256 * 1024;

    private byte[][] _batch = new byte[queue.MaxFrames][];
    private int _frames;
    private long _bytes;

    /// <summary>Returns when the queue is closed or the connection says it has ended; otherwise throws what the connection throws.</summary>
    public async Task RunAsync(PipeWriter output)
    {
        _frames = 0;
        _bytes = 0;
        while (await queue.WaitAsync())
        {
            int count = queue.TakeAll(ref _batch);
            try
            {
                for (int i = 0; i < count; i++)
                {
                    byte[] frame = _batch[i];
                    _batch[i] = null!; // once written it no longer counts, so it must not be held either
                    if (!await WriteAsync(output, frame, last: i == count - 1)) return;
                }
            }
            finally
            {
                Array.Clear(_batch, 0, count);
            }
        }
    }

    private ValueTask<bool> WriteAsync(PipeWriter output, byte[] frame, bool last)
    {
        _frames++;
        _bytes += frame.Length;
        if (frame.Length > CopyBytes) return FlushedAsync(output.WriteAsync(frame));
        output.Write(frame);
        return last || output.UnflushedBytes >= FlushBytes ? FlushedAsync(output.FlushAsync()) : ValueTask.FromResult(true);
    }

    private async ValueTask<bool> FlushedAsync(ValueTask<FlushResult> flush)
    {
        FlushResult result = await flush;
        if (result.IsCompleted) return false;
        queue.Release(_frames, _bytes);
        metrics.Sent(peer, channel, _frames, _bytes);
        _frames = 0;
        _bytes = 0;
        return true;
    }
}
