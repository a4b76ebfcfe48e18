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
public sealed record Configuration(ConfigurationHalf Incoming, ConfigurationHalf Outgoing)
{
    public bool IsJoint => !Outgoing.IsEmpty;

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

    public bool Equals(Configuration? other) => other is not null && Incoming.Equals(other.Incoming) && Outgoing.Equals(other.Outgoing);

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
