namespace RaftKv.RaftLog;

/// <summary>The raft log holds what was never written so: rot, a foreign file, or synced data that is gone. Names file and offset.</summary>
public sealed class LogCorruptException(string file, long offset, string what)
    : Exception($"raft log {file} at offset {offset}: {what}")
{
    public string File { get; } = file;

    public long Offset { get; } = offset;

    public string What { get; } = what;
}
