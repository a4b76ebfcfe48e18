using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>A shard's members as a replica has applied them, and the epoch they belong to. Immutable, so that any thread may hold one.</summary>
public sealed record AppliedMembers(ShardEpoch Epoch, Configuration Configuration);
