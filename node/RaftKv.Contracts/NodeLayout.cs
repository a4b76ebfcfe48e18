namespace RaftKv.Contracts;

/// <summary>
/// What lies where in a node's data directory.
/// <code>
/// DIR/lock        held with flock while the process lives
/// DIR/node.pid    the process id, as text
/// DIR/peers       NAME=HOST:PORT, one per line: where the members were reached last, so that a restart needs no --initial-cluster
/// DIR/peer-disks  which disk each peer was met with: see PeerDisks
/// DIR/log/        the raft log's segments
/// DIR/shards/     &lt;id&gt;/&lt;generation&gt;/, a store each
/// </code>
/// </summary>
public sealed class NodeLayout(string directory)
{
    public string Path => directory;

    public string Lock => System.IO.Path.Combine(directory, "lock");

    public string Pid => System.IO.Path.Combine(directory, "node.pid");

    public string Peers => System.IO.Path.Combine(directory, "peers");

    public string Log => System.IO.Path.Combine(directory, "log");

    public string Shards => System.IO.Path.Combine(directory, "shards");

    /// <summary>Whether a node has begun to live here: then it has a raft log. One with stores and without a log has lost it, and is no empty place.</summary>
    public bool IsInhabited => Directory.Exists(Log) || Directory.Exists(Shards);
}
