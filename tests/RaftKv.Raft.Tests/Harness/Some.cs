using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;

namespace RaftKv.Raft.Tests;

/// <summary>Short ways to write ids, entries and messages. Plain numbers, because the tests are about numbers.</summary>
internal static class Some
{
    public static Configuration Voters(int count) =>
        Configuration.OfVoters([.. Enumerable.Range(1, count).Select(id => Member((ulong)id))]);

    /// <summary>Voters and learners, each on the node of its number.</summary>
    public static ConfigurationHalf Half(ReadOnlySpan<ulong> voters, params ReadOnlySpan<ulong> learners) => new(Members(voters), Members(learners));

    public static Configuration Of(ReadOnlySpan<ulong> voters, params ReadOnlySpan<ulong> learners) => new(Half(voters, learners), ConfigurationHalf.Empty);

    public static Configuration Joint(ReadOnlySpan<ulong> incoming, ReadOnlySpan<ulong> outgoing) => new(Half(incoming), Half(outgoing));

    public static Member Member(ulong id) => new(new ReplicaId(id), new NodeId(id));

    /// <summary>An entry whose payload names its index and term, so that two different entries never look alike.</summary>
    public static Entry Entry(ulong index, ulong term) =>
        new(new LogIndex(index), new Term(term), EntryKind.Command, 0, 0, 0, Encoding.UTF8.GetBytes($"{index}/{term}"));

    public static Entry ConfigurationEntry(ulong index, ulong term, Configuration configuration) =>
        new(new LogIndex(index), new Term(term), EntryKind.Configuration, 0, 0, 0, configuration.ToBytes());

    /// <summary>Entries of the given terms from <paramref name="first"/> on.</summary>
    public static Entry[] Entries(ulong first, params ReadOnlySpan<ulong> terms)
    {
        Entry[] entries = new Entry[terms.Length];
        for (int i = 0; i < terms.Length; i++) entries[i] = Entry(first + (ulong)i, terms[i]);
        return entries;
    }

    /// <summary>The state after entries of the given terms, from a replica in <paramref name="term"/>.</summary>
    public static Snapshot Snapshot(ulong term, params ReadOnlySpan<ulong> terms)
    {
        Entry[] entries = Entries(1, terms);
        return new Snapshot(new ReplicaId(2), new SnapshotHead(new Term(term), entries[^1].Index, entries[^1].Term, Voters(3)), entries);
    }

    public static Message PreVote(ulong from, ulong to, ulong term, ulong last, ulong lastTerm) =>
        Vote(from, to, term, last, lastTerm) with { Kind = MessageKind.PreVote };

    public static Message Vote(ulong from, ulong to, ulong term, ulong last, ulong lastTerm) =>
        Message(MessageKind.Vote, from, to, term) with { Index = new LogIndex(last), LogTerm = new Term(lastTerm) };

    public static Message VoteResponse(ulong from, ulong to, ulong term, bool granted = true) =>
        Message(MessageKind.VoteResponse, from, to, term) with { Rejected = !granted };

    public static Message PreVoteResponse(ulong from, ulong to, ulong term, bool granted = true) =>
        Message(MessageKind.PreVoteResponse, from, to, term) with { Rejected = !granted };

    public static Message Append(ulong from, ulong to, ulong term, ulong previous, ulong previousTerm, ulong commit, params ReadOnlySpan<ulong> entryTerms) =>
        Append(from, to, term, previous, previousTerm, commit, Entries(previous + 1, entryTerms));

    public static Message Append(ulong from, ulong to, ulong term, ulong previous, ulong previousTerm, ulong commit, Entry[] entries) =>
        Message(MessageKind.Append, from, to, term) with { Index = new LogIndex(previous), LogTerm = new Term(previousTerm), Commit = new LogIndex(commit), Entries = entries };

    public static Message Ack(ulong from, ulong to, ulong term, ulong match) =>
        Message(MessageKind.AppendResponse, from, to, term) with { Index = new LogIndex(match) };

    public static Message Reject(ulong from, ulong to, ulong term, ulong probed, ulong hint, ulong hintTerm) =>
        Message(MessageKind.AppendResponse, from, to, term) with { Rejected = true, Index = new LogIndex(probed), Hint = new LogIndex(hint), LogTerm = new Term(hintTerm) };

    public static Message Heartbeat(ulong from, ulong to, ulong term, ulong commit = 0, ulong round = 0) =>
        Message(MessageKind.Heartbeat, from, to, term) with { Commit = new LogIndex(commit), ReadRound = round };

    public static Message HeartbeatResponse(ulong from, ulong to, ulong term, ulong round = 0) =>
        Message(MessageKind.HeartbeatResponse, from, to, term) with { ReadRound = round };

    public static Message Message(MessageKind kind, ulong from, ulong to, ulong term) =>
        new() { Kind = kind, From = new ReplicaId(from), To = new ReplicaId(to), Term = new Term(term) };

    private static ImmutableArray<Member> Members(ReadOnlySpan<ulong> ids)
    {
        Member[] members = new Member[ids.Length];
        for (int i = 0; i < members.Length; i++) members[i] = Member(ids[i]);
        return ImmutableCollectionsMarshal.AsImmutableArray(members);
    }
}
