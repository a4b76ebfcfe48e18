using System.Buffers.Binary;
using System.Collections.Immutable;

namespace RaftKv.Raft;

/// <summary>A member of a group and the node it lives on.</summary>
public readonly record struct Member(ReplicaId Replica, NodeId Node)
{
    public override string ToString() => Replica.ToString();
}

/// <summary>One half of a configuration: who votes and who only learns. Both lists are sorted by replica id and disjoint.</summary>
public sealed record ConfigurationHalf(ImmutableArray<Member> Voters, ImmutableArray<Member> Learners)
{
    public static ConfigurationHalf Empty { get; } = new([], []);

    public bool IsEmpty => Voters.IsEmpty && Learners.IsEmpty;

    public int Majority => Voters.Length / 2 + 1;

    public bool Equals(ConfigurationHalf? other) =>
        other is not null && Voters.AsSpan().SequenceEqual(other.Voters.AsSpan()) && Learners.AsSpan().SequenceEqual(other.Learners.AsSpan());

    public override int GetHashCode() => Voters.Length * 31 + Learners.Length;

    internal bool HasVoter(ReplicaId replica) => IndexOf(Voters, replica) >= 0;

    internal bool Has(ReplicaId replica) => HasVoter(replica) || IndexOf(Learners, replica) >= 0;

    private static int IndexOf(ImmutableArray<Member> members, ReplicaId replica)
    {
        for (int i = 0; i < members.Length; i++)
            if (members[i].Replica == replica) return i;
        return -1;
    }
}

/// <summary>
/// A group's members. Outside a membership change only <see cref="Incoming"/> has members; within one (joint consensus,
/// Raft paper §6) both halves do, and every decision needs a majority of each.
/// </summary>
/// <param name="Allocated">The highest replica id ever given away in the group, at least; members' ids count by themselves.</param>
/// <remarks>
/// As bytes, in log entries, commit points and stores; integers little-endian:
/// <code>
/// highest replica id ever allocated u64 | incoming voters | incoming learners | outgoing voters | outgoing learners
/// each list: count u32 | (replica id u64, node id u64)…, ascending by replica id
/// </code>
/// </remarks>
public sealed record Configuration(ConfigurationHalf Incoming, ConfigurationHalf Outgoing, ReplicaId Allocated = default)
{
    private const int MemberBytes = 16;

    /// <summary>Nobody: what a replica knows before its first snapshot.</summary>
    public static Configuration Empty { get; } = new(ConfigurationHalf.Empty, ConfigurationHalf.Empty);

    public bool IsJoint => !Outgoing.IsEmpty;

    /// <summary>The highest replica id ever allocated in the group: ids only grow, so one at or below it that is no member was removed.</summary>
    public ReplicaId Highest { get; } = HighestOf(Incoming, Outgoing, Allocated);

    /// <summary>Every member once, voters and learners of both halves, sorted by replica id.</summary>
    public ImmutableArray<Member> Members { get; } = CollectMembers(Incoming, Outgoing);

    public bool IsVoter(ReplicaId replica) => Incoming.HasVoter(replica) || Outgoing.HasVoter(replica);

    public bool Contains(ReplicaId replica) => Incoming.Has(replica) || Outgoing.Has(replica);

    /// <summary>The node of <paramref name="replica"/>, or null when it is no member.</summary>
    public NodeId? NodeOf(ReplicaId replica)
    {
        foreach (Member member in Members)
            if (member.Replica == replica) return member.Node;
        return null;
    }

    /// <summary>Whether <paramref name="replica"/> was a member once and is none now. Proof only if this configuration is committed.</summary>
    public bool HasRemoved(ReplicaId replica) => replica.CompareTo(Highest) <= 0 && !Contains(replica);

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[8 + 4 * 4 + MemberBytes * (Incoming.Voters.Length + Incoming.Learners.Length + Outgoing.Voters.Length + Outgoing.Learners.Length)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Highest.Value);
        int at = 8;
        foreach (ImmutableArray<Member> members in (ReadOnlySpan<ImmutableArray<Member>>)[Incoming.Voters, Incoming.Learners, Outgoing.Voters, Outgoing.Learners])
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), members.Length);
            at += 4;
            foreach (Member member in members)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), member.Replica.Value);
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at + 8), member.Node.Value);
                at += MemberBytes;
            }
        }

        return bytes;
    }

    /// <summary>Parses what <see cref="ToBytes"/> made, at the front of <paramref name="bytes"/>. Throws <see cref="FormatException"/>.</summary>
    public static Configuration Parse(ReadOnlySpan<byte> bytes, out int length)
    {
        int total = bytes.Length;
        ReadOnlySpan<byte> rest = bytes;
        ReplicaId highest = new(BinaryPrimitives.ReadUInt64LittleEndian(Take(ref rest, 8)));
        ConfigurationHalf incoming = new(ParseMembers(ref rest), ParseMembers(ref rest));
        ConfigurationHalf outgoing = new(ParseMembers(ref rest), ParseMembers(ref rest));
        foreach (ConfigurationHalf half in (ReadOnlySpan<ConfigurationHalf>)[incoming, outgoing])
            if (half.Learners.Any(learner => half.HasVoter(learner.Replica))) throw new FormatException("a replica both votes and learns");
        length = total - rest.Length;
        return new Configuration(incoming, outgoing, highest);
    }

    public bool Equals(Configuration? other) => other is not null && Incoming.Equals(other.Incoming) && Outgoing.Equals(other.Outgoing) && Highest == other.Highest;

    public override int GetHashCode() => Members.Length;

    /// <summary>A configuration of voters only, as every group begins.</summary>
    public static Configuration OfVoters(params ReadOnlySpan<Member> voters)
    {
        Member[] sorted = voters.ToArray();
        Array.Sort(sorted, (left, right) => left.Replica.CompareTo(right.Replica));
        return new(new ConfigurationHalf([.. sorted], []), ConfigurationHalf.Empty);
    }

    public override string ToString()
    {
        string text = Describe(Incoming);
        return IsJoint ? $"{text} leaving {Describe(Outgoing)}" : text;

        static string Describe(ConfigurationHalf half) =>
            $"({string.Join(' ', half.Voters)})" + (half.Learners.IsEmpty ? "" : $" learners ({string.Join(' ', half.Learners)})");
    }

    private static ImmutableArray<Member> ParseMembers(ref ReadOnlySpan<byte> rest)
    {
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(Take(ref rest, 4));
        if (count > rest.Length / MemberBytes) throw new FormatException($"{count} members in {rest.Length} bytes");
        Member[] members = new Member[count];
        for (int i = 0; i < members.Length; i++)
        {
            ReadOnlySpan<byte> member = Take(ref rest, MemberBytes);
            members[i] = new Member(new ReplicaId(BinaryPrimitives.ReadUInt64LittleEndian(member)), new NodeId(BinaryPrimitives.ReadUInt64LittleEndian(member[8..])));
            if (members[i].Replica.IsNone) throw new FormatException("replica id 0 in a configuration");
            if (i > 0 && members[i].Replica.CompareTo(members[i - 1].Replica) <= 0) throw new FormatException("members are not in ascending order");
        }

        return ImmutableArray.Create(members);
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, int count)
    {
        if (rest.Length < count) throw new FormatException($"a configuration ends within {count} bytes");
        ReadOnlySpan<byte> taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    private static ReplicaId HighestOf(ConfigurationHalf incoming, ConfigurationHalf outgoing, ReplicaId allocated)
    {
        ReplicaId highest = allocated;
        foreach (Member member in CollectMembers(incoming, outgoing))
            if (member.Replica.CompareTo(highest) > 0) highest = member.Replica;
        return highest;
    }

    private static ImmutableArray<Member> CollectMembers(ConfigurationHalf incoming, ConfigurationHalf outgoing)
    {
        SortedDictionary<ReplicaId, Member> all = [];
        foreach (Member member in incoming.Voters) all[member.Replica] = member;
        foreach (Member member in incoming.Learners) all[member.Replica] = member;
        foreach (Member member in outgoing.Voters) all[member.Replica] = member;
        foreach (Member member in outgoing.Learners) all[member.Replica] = member;
        return [.. all.Values];
    }
}
