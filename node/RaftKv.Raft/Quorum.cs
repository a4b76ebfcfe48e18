using System.Collections.Immutable;

namespace RaftKv.Raft;

/// <summary>The outcome of an election so far.</summary>
internal enum VoteResult
{
    Pending,
    Won,
    Lost,
}

/// <summary>Majority arithmetic over a configuration, joint or not: what is agreed is what both halves agree on.</summary>
/// <remarks>Raft paper §6. Compared with a naive enumeration in the tests, for all configurations of up to 5 + 5 voters.</remarks>
internal static class Quorum
{
    /// <summary>
    /// The largest value that a majority of voters (of each half) has reached. <paramref name="valueOf"/> gives a voter's
    /// value; values only grow with agreement (match index, read round, contact time).
    /// </summary>
    public static ulong Agreed(Configuration configuration, Func<ReplicaId, ulong> valueOf)
    {
        ulong incoming = AgreedIn(configuration.Incoming.Voters, valueOf);
#if MUTANTS
        if (Mutants.On(Mutant.JointDecidedByNewHalf)) return incoming;
#endif
        return configuration.IsJoint ? Math.Min(incoming, AgreedIn(configuration.Outgoing.Voters, valueOf)) : incoming;
    }

    /// <summary>The election's outcome. <paramref name="voteOf"/>: true granted, false rejected, null not answered.</summary>
    public static VoteResult Count(Configuration configuration, Func<ReplicaId, bool?> voteOf)
    {
        VoteResult incoming = CountIn(configuration.Incoming, voteOf);
        if (!configuration.IsJoint) return incoming;
#if MUTANTS
        if (Mutants.On(Mutant.JointDecidedByNewHalf)) return incoming;
#endif
        VoteResult outgoing = CountIn(configuration.Outgoing, voteOf);
        if (incoming == VoteResult.Lost || outgoing == VoteResult.Lost) return VoteResult.Lost;
        return incoming == VoteResult.Won && outgoing == VoteResult.Won ? VoteResult.Won : VoteResult.Pending;
    }

    private static ulong AgreedIn(ImmutableArray<Member> voters, Func<ReplicaId, ulong> valueOf)
    {
        if (voters.IsEmpty) return ulong.MaxValue;
        Span<ulong> values = voters.Length <= 16 ? stackalloc ulong[voters.Length] : new ulong[voters.Length];
        for (int i = 0; i < values.Length; i++) values[i] = valueOf(voters[i].Replica);
        values.Sort();
        // Ascending: the voters at and above position n − majority number exactly a majority.
        return values[values.Length - (values.Length / 2 + 1)];
    }

    private static VoteResult CountIn(ConfigurationHalf half, Func<ReplicaId, bool?> voteOf)
    {
        int granted = 0;
        int rejected = 0;
        foreach (Member voter in half.Voters)
        {
            bool? vote = voteOf(voter.Replica);
            if (vote == true) granted++;
            if (vote == false) rejected++;
        }

        if (granted >= half.Majority) return VoteResult.Won;
        return half.Voters.Length - rejected < half.Majority ? VoteResult.Lost : VoteResult.Pending;
    }
}
