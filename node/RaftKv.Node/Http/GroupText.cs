using System.Text;
using RaftKv.Raft;

namespace RaftKv.Node.Http;

/// <summary>How API and log write what a group says of itself: <c>pre-candidate</c>, <c>election-timeout</c>. Stable.</summary>
internal static class GroupText
{
    private static readonly string[] s_reasons = [.. Enum.GetNames<RoleChangeReason>().Select(Hyphenate)];

    public static string Of(Role role) => role switch
    {
        Role.Leader => "leader",
        Role.Candidate => "candidate",
        Role.PreCandidate => "pre-candidate",
        _ => "follower",
    };

    public static string Of(RoleChangeReason reason) => s_reasons[(int)reason];

    private static string Hyphenate(string name)
    {
        StringBuilder text = new();
        foreach (char c in name)
        {
            if (char.IsUpper(c) && text.Length > 0) text.Append('-');
            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
