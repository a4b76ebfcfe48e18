namespace RaftKv.Node.Http;

/// <summary>
/// Room for the values that reads have found and that clients have not been sent yet: a client that asks for much and takes little costs its own requests, not the
/// node's memory. An answer needs room for as long as its request lasts; the server's own buffers for each connection come on top.
/// </summary>
/// <param name="maxBytes">Of all answers together; the last one may exceed it.</param>
internal sealed class AnswerRoom(long maxBytes)
{
    private readonly long _maxBytes = maxBytes;
    private long _bytes;

    /// <summary>What answers under way take. Any thread may ask.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public long MaxBytes => _maxBytes;

    /// <summary>False when there is none, and nothing is taken. What is taken must be given back.</summary>
    public bool TryTake(long bytes)
    {
        if (Bytes >= _maxBytes) return false;
        Take(bytes);
        return true;
    }

    /// <summary>For an answer that must be given, whether there is room or not.</summary>
    public void Take(long bytes) => Interlocked.Add(ref _bytes, bytes);

    public void GiveBack(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
