using System.Collections.Immutable;

namespace RaftKv.Raft;

/// <summary>What a membership change wants, relative to the members there are.</summary>
public enum MemberChangeKind : byte
{
    /// <summary>A new replica on a node, which gets everything and counts for nothing.</summary>
    AddLearner,

    /// <summary>A learner becomes a voter.</summary>
    Promote,

    /// <summary>A voter becomes a learner.</summary>
    Demote,

    /// <summary>A member goes.</summary>
    Remove,
}

/// <param name="Replica">The member; none for AddLearner.</param>
/// <param name="Node">Where the new replica lives; only for AddLearner.</param>
public readonly record struct MemberChange(MemberChangeKind Kind, ReplicaId Replica, NodeId Node = default)
{
    public static MemberChange AddLearner(NodeId node) => new(MemberChangeKind.AddLearner, ReplicaId.None, node);

    public static MemberChange Promote(ReplicaId replica) => new(MemberChangeKind.Promote, replica);

    public static MemberChange Demote(ReplicaId replica) => new(MemberChangeKind.Demote, replica);

    public static MemberChange Remove(ReplicaId replica) => new(MemberChangeKind.Remove, replica);
}

/// <content>
/// Who the members are (paper §6, thesis §4.3). A replica uses the newest configuration in its log, committed or not. A change of voters goes through
/// a joint configuration, which the leader leaves by itself once it is applied. Removal takes effect when that leave is applied.
/// </content>
public sealed partial class RaftGroup
{
    /// <summary>How far a learner may be behind and still become a voter, in entries.</summary>
    private const ulong MaxLagOfNewVoter = 1_000;

    /// <summary>The configuration that the log begins with, and those that its entries brought, in index order; never empty.</summary>
    private readonly List<(LogIndex Index, Term Term, Configuration Configuration)> _configurations = [];

    /// <summary>After this many election timeouts without a leader, and again after as many, a replica asks the whole cluster whether it was removed.</summary>
    private const int TimeoutsOfAnOrphan = 4;

    /// <summary>A replica id is at least the term in which it was added, shifted by this.</summary>
    private const int TermShift = 16;

    private bool _isRemoved;
    private bool _asksEverybody;
    private int _timeoutsInARow;

    /// <summary>The newest in the log.</summary>
    public Configuration Configuration =>
#if MUTANTS
        Mutants.On(Mutant.ConfigurationHoldsFromCommit) ? ConfigurationAt(Commit) :
#endif
        _configurations[^1].Configuration;

    /// <summary>The newest that is applied: the only one that proves anything to others.</summary>
    public Configuration AppliedConfiguration => ConfigurationAt(Applied);

    /// <summary>Whether a change is in the log that is not applied yet, or not left.</summary>
    public bool IsChangingMembers => Configuration.IsJoint || _configurations[^1].Index > Applied;

    /// <summary>
    /// Proposes a membership change. Busy: another one is under way, or a learner that is to vote is too far behind. Throws
    /// <see cref="ArgumentException"/> when the change makes no sense with the members there are.
    /// </summary>
    public ProposeResult ProposeMembers(long now, params ReadOnlySpan<MemberChange> changes)
    {
        AdvanceTo(now);
        if (Role != Role.Leader || !_transferTo.IsNone) return new ProposeResult(ProposeStatus.NotLeader, default, Term);
        // One at a time, and none before an entry of this term is committed. Joint consensus could do without (Ongaro's correction is of single changes), but an
        // add of an older term could then be committed after all, when the higher id of this one has left a tombstone on the same node.
        bool knowsCommitted = _log.TermAt(Commit) == Term;
#if MUTANTS
        if (Mutants.On(Mutant.ChangeBeforeOwnTerm)) knowsCommitted = true;
#endif
        if (IsChangingMembers || !knowsCommitted) return new ProposeResult(ProposeStatus.Busy, default, Term);
        Configuration current = Configuration;
        Configuration target = Target(current, changes, Term);
        foreach (MemberChange change in changes)
            if (change.Kind == MemberChangeKind.Promote && FindProgress(change.Replica) is { } progress && !IsCaughtUp(progress))
                return new ProposeResult(ProposeStatus.Busy, default, Term);
        Wake(now);
        // Learners decide nothing: while the voters stay the same, no majority changes.
        bool isJoint = !target.Incoming.Voters.SequenceEqual(current.Incoming.Voters);
        return AppendConfiguration(isJoint ? target with { Outgoing = current.Incoming } : target);
    }

    /// <summary>
    /// Whether this replica could vote tomorrow without a day of silence: it has answered from behind the log's start, and is not far behind its end. One
    /// that has nothing yet would count in every majority and answer in none.
    /// </summary>
    private bool IsCaughtUp(Progress progress) =>
#if MUTANTS
        Mutants.On(Mutant.EmptyLearnerPromoted) ||
#endif
        progress.State == ProgressState.Replicate && progress.Match >= _log.SnapshotIndex && progress.Match.Value + MaxLagOfNewVoter >= _log.Last.Value;

    /// <summary>
    /// Asks <paramref name="who"/> whether this replica is a member still: a message came for a newer replica on this node, or a learner hears
    /// nothing, which would never find out by campaigning.
    /// </summary>
    public void AskWhetherMember(long now, ReplicaId who)
    {
        AdvanceTo(now);
        Send(new Message { Kind = MessageKind.AmIMember, From = Replica, To = who, Term = Term });
    }

    private static Configuration Target(Configuration current, ReadOnlySpan<MemberChange> changes, Term term)
    {
        List<Member> voters = [.. current.Incoming.Voters];
        List<Member> learners = [.. current.Incoming.Learners];
        ReplicaId highest = current.Highest;
        foreach (MemberChange change in changes)
        {
            switch (change.Kind)
            {
                case MemberChangeKind.AddLearner:
                    if (voters.Concat(learners).Concat(current.Members).Any(member => member.Node == change.Node)) throw new ArgumentException($"node {change.Node} has a replica already");
                    highest = new ReplicaId(Math.Max(highest.Value + 1, term.Value << TermShift));
                    learners.Add(new Member(highest, change.Node));
                    break;
                case MemberChangeKind.Promote: Move(learners, voters, change.Replica, "learner"); break;
                case MemberChangeKind.Demote: Move(voters, learners, change.Replica, "voter"); break;
                default:
                    if (voters.RemoveAll(member => member.Replica == change.Replica) + learners.RemoveAll(member => member.Replica == change.Replica) == 0)
                        throw new ArgumentException($"{change.Replica} is no member");
                    break;
            }
        }

        if (voters.Count == 0) throw new ArgumentException("no voter would be left");
        return new Configuration(new ConfigurationHalf(Sorted(voters), Sorted(learners)), ConfigurationHalf.Empty, highest);
    }

    private static void Move(List<Member> from, List<Member> to, ReplicaId replica, string role)
    {
        int at = from.FindIndex(member => member.Replica == replica);
        if (at < 0) throw new ArgumentException($"{replica} is no {role}");
        to.Add(from[at]);
        from.RemoveAt(at);
    }

    private static ImmutableArray<Member> Sorted(List<Member> members) => [.. members.OrderBy(member => member.Replica)];

    private ProposeResult AppendConfiguration(Configuration configuration)
    {
        Entry entry = new(_log.Last.Next, Term, EntryKind.Configuration, 0, 0, 0, configuration.ToBytes());
        _log.Append(entry);
        OnConfigurationAppended(entry);
        return new ProposeResult(ProposeStatus.Appended, entry.Index, Term);
    }

    /// <summary>An entry was appended: if it brings a configuration, that holds from now on.</summary>
    private void OnConfigurationAppended(in Entry entry)
    {
        if (entry.Kind != EntryKind.Configuration) return;
        _configurations.Add((entry.Index, entry.Term, Configuration.Parse(entry.Payload.Span, out _)));
#if MUTANTS
        if (Mutants.On(Mutant.RemovedBeforeApplied) && !Configuration.Contains(Replica)) _isRemoved = true;
#endif
        if (Role != Role.Leader) return;
        UpdateProgress(nextOfNew: entry.Index);
        _reads.ForgetConfirmed(); // Other voters have promised nothing yet.
        TryGrantReads(); // Who is still to answer the round may be no voter any more; of one that is left alone nobody else will.
    }

    private void OnLogTruncated(LogIndex from)
    {
#if MUTANTS
        if (Mutants.On(Mutant.ConfigurationNotTakenBack)) return;
#endif
        while (_configurations.Count > 1 && _configurations[^1].Index >= from) _configurations.RemoveAt(_configurations.Count - 1);
    }

    /// <summary>The log begins after <paramref name="index"/> now.</summary>
    private void OnLogCut(LogIndex index, Configuration configuration)
    {
        _configurations.RemoveAll(known => known.Index <= index);
        _configurations.Insert(0, (index, _log.SnapshotTerm, configuration));
        if (Role == Role.Leader) UpdateProgress();
    }

    /// <summary>The newest configuration in the log at or before <paramref name="index"/>, as far back as the log goes.</summary>
    public Configuration ConfigurationAt(LogIndex index)
    {
        for (int i = _configurations.Count - 1; i > 0; i--)
            if (_configurations[i].Index <= index) return _configurations[i].Configuration;
        return _configurations[0].Configuration;
    }

    /// <summary>
    /// One progress per member of the newest configuration, and of the applied one: whoever is leaving is sent the entry that says so, until it is
    /// applied here.
    /// </summary>
    /// <param name="nextOfNew">The first entry to send to who was not a member before; by default what comes next.</param>
    private void UpdateProgress(LogIndex? nextOfNew = null)
    {
        Configuration applied = AppliedConfiguration;
        _progress.RemoveAll(progress => !Configuration.Contains(progress.Replica) && !applied.Contains(progress.Replica));
        foreach (Member member in Configuration.Members)
            if (member.Replica != Replica && FindProgress(member.Replica) is null) _progress.Add(new Progress(member.Replica, nextOfNew ?? _log.Last.Next, _now));
        _progress.Sort(static (left, right) => left.Replica.CompareTo(right.Replica));
    }

    private void OnConfigurationApplied()
    {
        if (HasLost(Replica)) _isRemoved = true;
        if (Role != Role.Leader) return;
        UpdateProgress();
        if (IsChangingMembers && _configurations[^1].Index > Applied) return;
        if (Configuration.IsJoint && _transferTo.IsNone)
        {
            AppendConfiguration(new Configuration(Configuration.Incoming, ConfigurationHalf.Empty, Configuration.Highest));
        }
        else if (!Configuration.IsJoint && !Configuration.IsVoter(Replica))
        {
            // It led its group out of a configuration that it is no part of (paper §6).
            ReplicaId successor = BestTransferTarget();
            if (!successor.IsNone) SendTimeoutNow(successor);
            BecomeFollower(Term, ReplicaId.None, RoleChangeReason.NoLongerVoter);
        }
    }

    /// <summary>
    /// Whether <paramref name="replica"/> can never be a member again, by what is applied here: it was removed; or it was to be added in an earlier term than
    /// that of the last entry applied, which would then stand before it, and does not.
    /// </summary>
    private bool HasLost(ReplicaId replica)
    {
        Configuration applied = AppliedConfiguration;
        if (applied.Members.IsEmpty || applied.Contains(replica)) return false; // An empty one says only that nothing is known yet.
        return applied.HasRemoved(replica) || replica.Value >> TermShift < TermAt(Applied)?.Value;
    }

    /// <summary>Someone campaigns or asks at a replica that lived here before this one: it may have been removed since, too.</summary>
    public void TellIfRemoved(long now, in Message message)
    {
        AdvanceTo(now);
        TryTellRemoved(message);
    }

    private void AskAllWhetherMember()
    {
        foreach (Member member in Configuration.Members)
            if (member.Replica != Replica) AskWhetherMember(_now, member.Replica);
    }

    /// <summary>Someone campaigns or asks who was removed: it cannot know unless it is told, and on nothing less than an applied configuration.</summary>
    private bool TryTellRemoved(in Message message)
    {
        if (message.Kind is not (MessageKind.PreVote or MessageKind.Vote or MessageKind.AmIMember) || !HasLost(message.From)) return false;
        Send(Answer(message, MessageKind.Removed));
        return true;
    }
}
