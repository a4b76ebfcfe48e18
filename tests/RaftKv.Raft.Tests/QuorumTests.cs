using System.Collections.Immutable;
using System.Numerics;

namespace RaftKv.Raft.Tests;

/// <summary>Raft paper §6: majorities, simple and joint, against counting them one by one. bugs.md L2, L3, L4, R7.</summary>
public sealed class QuorumTests
{
    private const int MaxVoters = 5;

    [Fact]
    public void Agreed_is_the_largest_value_that_a_majority_has_reached()
    {
        int checkedCases = 0;
        ulong[] values = new ulong[MaxVoters];
        for (int voters = 1; voters <= MaxVoters; voters++)
        {
            Configuration configuration = Of(Mask(voters), 0);
            int[][] majorities = MajoritiesOf(configuration);
            // Every assignment of the values 0 … voters, so every order of every set of ties.
            for (int assignment = 0; assignment < Math.Pow(voters + 1, voters); assignment++, checkedCases++)
            {
                for (int i = 0, rest = assignment; i < voters; i++, rest /= voters + 1) values[i] = (ulong)(rest % (voters + 1));
                Assert.Equal(NaiveAgreed(majorities, values), Quorum.Agreed(configuration, id => values[id.Value - 1]));
            }
        }

        Assert.True(checkedCases > 8000);
    }

    [Fact]
    public void Agreed_in_a_joint_configuration_is_what_both_halves_agree_on()
    {
        SplitMix random = new(1);
        ulong[] values = new ulong[2 * MaxVoters];
        foreach (Configuration configuration in JointConfigurations())
        {
            int[][] majorities = MajoritiesOf(configuration);
            for (int round = 0; round < 20; round++)
            {
                for (int i = 0; i < values.Length; i++) values[i] = (ulong)random.Below(6);
                Assert.Equal(NaiveAgreed(majorities, values), Quorum.Agreed(configuration, id => values[id.Value - 1]));
            }
        }
    }

    [Fact]
    public void An_election_is_won_lost_or_pending_as_counting_the_votes_says()
    {
        for (int voters = 1; voters <= MaxVoters; voters++) CheckEveryVote(Of(Mask(voters), 0), voters);
    }

    // Every pair of halves of 1 … 5 of the same five, overlapping in every way, and every vote.
    [Fact]
    public void A_joint_election_needs_both_halves_and_is_lost_by_either()
    {
        for (int incoming = 1; incoming < 1 << MaxVoters; incoming++)
            for (int outgoing = 1; outgoing < 1 << MaxVoters; outgoing++)
                CheckEveryVote(Of(incoming, outgoing), MaxVoters);
    }

    // And halves of up to 5 + 5 with up to ten different voters, votes drawn.
    [Fact]
    public void A_joint_election_of_up_to_ten_voters_is_counted_right()
    {
        SplitMix random = new(2);
        bool?[] votes = new bool?[2 * MaxVoters];
        foreach (Configuration configuration in JointConfigurations())
        {
            int[][] majorities = MajoritiesOf(configuration);
            for (int round = 0; round < 20; round++)
            {
                for (int i = 0; i < votes.Length; i++) votes[i] = random.Below(3) switch { 0 => null, 1 => true, _ => false };
                Assert.Equal(NaiveCount(majorities, votes), Quorum.Count(configuration, id => votes[id.Value - 1]));
            }
        }
    }

    [Fact]
    public void Learners_do_not_count()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1)], [Some.Member(2), Some.Member(3)]), ConfigurationHalf.Empty);
        Assert.Equal(1UL, Quorum.Agreed(configuration, id => id.Value));
        Assert.Equal(VoteResult.Pending, Quorum.Count(configuration, id => id.Value > 1 ? true : null));
        Assert.Equal(VoteResult.Won, Quorum.Count(configuration, id => id.Value == 1 ? true : null));
    }

    // More voters than the stack buffer holds.
    [Fact]
    public void Large_configurations_are_counted_too()
    {
        Configuration configuration = Some.Voters(33);
        Assert.Equal(17UL, Quorum.Agreed(configuration, id => id.Value));
    }

    private static void CheckEveryVote(Configuration configuration, int voters)
    {
        int[][] majorities = MajoritiesOf(configuration);
        bool?[] votes = new bool?[MaxVoters];
        for (int assignment = 0; assignment < Math.Pow(3, voters); assignment++)
        {
            for (int i = 0, rest = assignment; i < voters; i++, rest /= 3) votes[i] = (rest % 3) switch { 0 => null, 1 => true, _ => false };
            VoteResult expected = NaiveCount(majorities, votes);
            VoteResult actual = Quorum.Count(configuration, id => votes[id.Value - 1]);
            if (expected != actual) Assert.Fail($"{configuration} with votes {string.Join(' ', votes)}: expected {expected}, was {actual}");
        }
    }

    /// <summary>Halves of 1 … 5 voters out of ten, sharing 0 … all of them.</summary>
    private static IEnumerable<Configuration> JointConfigurations()
    {
        for (int incoming = 1; incoming <= MaxVoters; incoming++)
            for (int outgoing = 1; outgoing <= MaxVoters; outgoing++)
                for (int shared = 0; shared <= Math.Min(incoming, outgoing); shared++)
                    yield return Of(Mask(incoming), Mask(outgoing) << (incoming - shared));
    }

    /// <summary>Of each half, the sets of voters (bit i is voter i + 1) that number more than half of it.</summary>
    private static int[][] MajoritiesOf(Configuration configuration)
    {
        ConfigurationHalf[] halves = configuration.IsJoint ? [configuration.Incoming, configuration.Outgoing] : [configuration.Incoming];
        return [.. halves.Select(half =>
        {
            int all = half.Voters.Sum(voter => 1 << ((int)voter.Replica.Value - 1));
            return Enumerable.Range(0, all + 1).Where(set => (set & ~all) == 0 && 2 * BitOperations.PopCount((uint)set) > half.Voters.Length).ToArray();
        })];
    }

    /// <summary>In each half the best of what its majorities have reached as a whole; then the least of the halves.</summary>
    private static ulong NaiveAgreed(int[][] majorities, ulong[] values) =>
        majorities.Min(half => half.Max(set => values.Where((_, i) => (set & (1 << i)) != 0).Min()));

    /// <summary>Won if in each half some majority granted; lost if in some half no majority can any more.</summary>
    private static VoteResult NaiveCount(int[][] majorities, bool?[] votes)
    {
        int granted = 0, rejected = 0;
        for (int i = 0; i < votes.Length; i++)
        {
            if (votes[i] == true) granted |= 1 << i;
            if (votes[i] == false) rejected |= 1 << i;
        }

        if (Array.TrueForAll(majorities, half => Array.Exists(half, set => (granted & set) == set))) return VoteResult.Won;
        return Array.Exists(majorities, half => Array.TrueForAll(half, set => (rejected & set) != 0)) ? VoteResult.Lost : VoteResult.Pending;
    }

    private static int Mask(int voters) => (1 << voters) - 1;

    private static Configuration Of(int incoming, int outgoing) =>
        new(new ConfigurationHalf(Members(incoming), []), outgoing == 0 ? ConfigurationHalf.Empty : new ConfigurationHalf(Members(outgoing), []));

    private static ImmutableArray<Member> Members(int mask) =>
        [.. Enumerable.Range(0, 2 * MaxVoters).Where(i => (mask & (1 << i)) != 0).Select(i => Some.Member((ulong)i + 1))];
}
