using System.Collections.Immutable;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Wire;

/// <summary>A group's configuration in log records and snapshots: both halves, always.</summary>
/// <remarks>
/// <code>
/// incoming voters | incoming learners | outgoing voters | outgoing learners
/// each list: count u32 | (replica id u64, node id u64)…, ascending by replica id
/// </code>
/// </remarks>
public static class ConfigurationCodec
{
    private const int MemberBytes = 16;

    public static void Write(ByteWriter writer, Configuration configuration)
    {
        WriteMembers(writer, configuration.Incoming.Voters);
        WriteMembers(writer, configuration.Incoming.Learners);
        WriteMembers(writer, configuration.Outgoing.Voters);
        WriteMembers(writer, configuration.Outgoing.Learners);
    }

    public static Configuration Read(ref ByteReader reader)
    {
        ConfigurationHalf incoming = new(ReadMembers(ref reader), ReadMembers(ref reader));
        ConfigurationHalf outgoing = new(ReadMembers(ref reader), ReadMembers(ref reader));
        return new Configuration(incoming, outgoing);
    }

    private static void WriteMembers(ByteWriter writer, ImmutableArray<Member> members)
    {
        writer.U32((uint)members.Length);
        foreach (Member member in members)
        {
            writer.U64(member.Replica.Value);
            writer.U64(member.Node.Value);
        }
    }

    private static ImmutableArray<Member> ReadMembers(ref ByteReader reader)
    {
        Member[] members = new Member[reader.Count(MemberBytes)];
        for (int i = 0; i < members.Length; i++)
        {
            members[i] = new Member(new ReplicaId(reader.U64()), new NodeId(reader.U64()));
            if (members[i].Replica.IsNone) throw new MalformedException("replica id 0 in a configuration");
            if (i > 0 && members[i].Replica.CompareTo(members[i - 1].Replica) <= 0) throw new MalformedException("members are not in ascending order");
        }

        return ImmutableArray.Create(members);
    }
}
