namespace RaftKv.Raft.Tests.Randomized;

/// <summary>
/// Watches a cluster from outside and knows everything: the properties of Raft paper figure 3 and the host's rules,
/// checked after every event. It never touches the replicas.
/// Invariant.Holds formats a message only when it is needed: there are millions of checks.
/// </summary>
internal sealed class SafetyChecker
{
    private readonly Cluster _cluster;
    private readonly Dictionary<Term, ReplicaId> _leaders = [];
    private readonly Dictionary<(ReplicaId Replica, Term Term), ReplicaId> _durableVotes = [];
    private readonly Dictionary<(LogIndex Index, Term Term), (Entry Entry, Term PreviousTerm)> _entries = [];
    /// <summary>The term of each committed entry, and the term in which it was first seen committed.</summary>
    private readonly SortedDictionary<LogIndex, (Term Of, Term In)> _committed = [];

    /// <summary>Every configuration that ever was in a log.</summary>
    private readonly SortedDictionary<LogIndex, List<(Term Term, Configuration Configuration)>> _configurations = [];
    private readonly HashSet<ReplicaId> _removed = [];
    private readonly Dictionary<ReplicaId, (RaftGroup Life, LogIndex Commit, int Grants)> _seen = [];
    private readonly Dictionary<ulong, LogIndex> _committedWhenAsked = [];
    private LogIndex _lastCommitted;

    public SafetyChecker(Cluster cluster)
    {
        _cluster = cluster;
        foreach (Entry entry in cluster.Replicas[0].Disk.Store)
        {
            _committed.Add(entry.Index, (entry.Term, entry.Term));
            NoteConfiguration(entry);
        }

        foreach (Replica replica in cluster.Replicas) Watch(replica);
        cluster.OnMade += Watch;
        cluster.OnBuried += OnBuried;
    }

    public int Leaderships => _leaders.Count;

    public int Committed => _committed.Count;

    public int ReadsGranted { get; private set; }

    public int Installed { get; private set; }

    public int Cuts { get; private set; }

    /// <summary>Replicas that are gone for good.</summary>
    public int Removed => _removed.Count;

    /// <summary>Configurations that were committed.</summary>
    public int Changes { get; private set; }

    /// <summary>A read may not miss anything that was committed, anywhere, when it was asked for.</summary>
    public void OnReadAsked(ulong context) => _committedWhenAsked.Add(context, _lastCommitted);

    /// <summary>To be called after every event.</summary>
    public void Check()
    {
        foreach (Replica replica in _cluster.Replicas) Check(replica);
    }

    /// <summary>Log matching (figure 3), the long way round: any two logs are the same up to the last place where their terms agree.</summary>
    public void CheckLogsMatch()
    {
        foreach (Replica left in _cluster.Replicas)
        {
            foreach (Replica right in _cluster.Replicas)
            {
                bool mustAgree = false;
                LogIndex floor = LogIndex.Max(LogIndex.Max(left.Group.SnapshotIndex, right.Group.SnapshotIndex), new LogIndex(1));
                for (LogIndex index = LogIndex.Min(left.Group.LastIndex, right.Group.LastIndex); index >= floor; index = index.Previous)
                {
                    bool agrees = left.Group.TermAt(index) == right.Group.TermAt(index);
                    Invariant.Holds(agrees || !mustAgree, $"{left.Id} and {right.Id} agree after {index}, but not there");
                    mustAgree = agrees;
                }
            }
        }
    }

    private void Check(Replica replica)
    {
        var (life, commit, grants) = _seen.TryGetValue(replica.Id, out var seen) && seen.Life == replica.Group ? seen : (replica.Group, LogIndex.Zero, 0);
        CheckDurableVote(replica);
        CheckConfiguration(replica);
        if (replica.Group.Role == Role.Leader) CheckLeader(replica);
        // Of what a snapshot covers the log knows the last term only; the rest is checked when it is installed.
        for (LogIndex index = LogIndex.Max(commit.Next, replica.Group.SnapshotIndex); index <= replica.Group.Commit; index = index.Next) CheckCommitted(replica, index);
        for (; grants < replica.Grants.Count; grants++) CheckGrant(replica.Grants[grants]);
        // What a replica takes for durable is what its disk has: no replaced entries, no promises (L10).
        LogIndex durable = replica.Group.DurableIndex;
        bool isCommitPointUnderWay = replica.Group.IsInstalling && durable == replica.Group.SnapshotIndex;
        if (!isCommitPointUnderWay) Invariant.Holds(replica.Group.TermAt(durable) == replica.Disk.TermAt(durable), $"{replica.Group}, on disk {durable}/{replica.Disk.TermAt(durable)}");
        replica.Group.CheckInvariants();
        _seen[replica.Id] = (life, replica.Group.Commit, grants);
    }

    private void Watch(Replica replica)
    {
        replica.OnReady = ready => OnReady(replica, ready);
        replica.OnLeave = message => OnLeave(replica, message);
        replica.OnApply = entry => OnApply(replica, entry);
        replica.OnInstalled = snapshot => OnInstalled(replica, snapshot);
    }

    private void OnReady(Replica replica, Ready ready)
    {
        if (ready.LogStart is not null) Cuts++;
        // Log matching by induction: an entry is the same, with the same predecessor, in whichever log it appears.
        foreach (Entry entry in ready.Entries.Span)
        {
            Term previous = replica.Group.TermAt(entry.Index.Previous)!.Value;
            if (_entries.TryAdd((entry.Index, entry.Term), (entry, previous)))
            {
                NoteConfiguration(entry);
                continue;
            }

            var known = _entries[(entry.Index, entry.Term)];
            Invariant.Holds(known.PreviousTerm == previous, $"{entry} follows {known.PreviousTerm} and {previous}");
            Invariant.Holds(known.Entry.Payload.Span.SequenceEqual(entry.Payload.Span), $"{entry} has two contents");
        }

        LogIndex limit = LogIndex.Min(replica.Group.Commit, replica.Disk.Last);
        Invariant.Holds(ready.ApplyLast <= limit, $"{replica.Id} hands out {ready.ApplyLast}, commit {replica.Group.Commit}, on disk {replica.Disk.Last}");
    }

    /// <summary>Nothing is promised that is not on disk.</summary>
    private static void OnLeave(Replica replica, Message message)
    {
        HardState onDisk = replica.Disk.HardState;
        bool isPreVote = message.Kind == MessageKind.PreVote || message is { Kind: MessageKind.PreVoteResponse, Rejected: false };
        Invariant.Holds(isPreVote || onDisk.Term >= message.Term, $"{message} leaves, hard state on disk {onDisk}");
        if (onDisk.Term == message.Term)
        {
            if (message.Kind == MessageKind.Vote) Invariant.Holds(onDisk.Vote == replica.Id, $"{message} leaves, hard state on disk {onDisk}");
            if (message is { Kind: MessageKind.VoteResponse, Rejected: false }) Invariant.Holds(onDisk.Vote == message.To, $"{message} leaves, hard state on disk {onDisk}");
        }

        if (message is not { Kind: MessageKind.AppendResponse, Rejected: false }) return;
        Invariant.Holds(message.Index <= replica.Disk.Last || message.Term != replica.Group.Term, $"{message} leaves, on disk {replica.Disk.Last}");
        if (message.Term == replica.Group.Term && replica.Group.TermAt(message.Index) is { } term && replica.Disk.TermAt(message.Index) is { } onDiskTerm)
            Invariant.Holds(onDiskTerm == term, $"{message} leaves, on disk {replica.Disk.Last}");
    }

    /// <summary>A snapshot is what was committed, entry by entry, and the one whose index counts as committed.</summary>
    private void OnInstalled(Replica replica, Snapshot snapshot)
    {
        Installed++;
        Invariant.Holds((ulong)snapshot.Entries.Count == snapshot.Index.Value, $"{snapshot} of {snapshot.Entries.Count} entries");
        foreach (Entry entry in snapshot.Entries)
            Invariant.Holds(_committed.TryGetValue(entry.Index, out var known) && known.Of == entry.Term, $"{replica.Id} installs {entry}, committed is {known.Of}");
    }

    private void OnApply(Replica replica, Entry entry)
    {
        // State machine safety: what is applied is committed, and so the same everywhere.
        Invariant.Holds(entry.Index <= replica.Group.Commit);
        Invariant.Holds(!_committed.TryGetValue(entry.Index, out var known) || known.Of == entry.Term, $"{replica.Id} applies {entry}, committed is {known.Of}");
        Invariant.Holds(_entries[(entry.Index, entry.Term)].Entry.Payload.Span.SequenceEqual(entry.Payload.Span));
    }

    private void CheckDurableVote(Replica replica)
    {
        HardState state = replica.Disk.HardState;
        if (_durableVotes.TryGetValue((replica.Id, state.Term), out ReplicaId before) && !before.IsNone)
            Invariant.Holds(before == state.Vote, $"{replica.Id} voted for {before} and for {state.Vote} in {state.Term}");
        _durableVotes[(replica.Id, state.Term)] = state.Vote;
    }

    private void CheckLeader(Replica leader)
    {
        if (!_leaders.TryAdd(leader.Group.Term, leader.Id))
        {
            Invariant.Holds(_leaders[leader.Group.Term] == leader.Id, $"election safety: {_leaders[leader.Group.Term]} and {leader.Id} lead {leader.Group.Term}");
            return;
        }

        // It speaks of leaders of later terms; one of an earlier term may notice late that it won.
        foreach (var (index, (term, committedIn)) in _committed)
            if (index >= leader.Group.SnapshotIndex && committedIn < leader.Group.Term) Invariant.Holds(leader.Group.TermAt(index) == term, $"leader completeness: {leader.Group} lacks {index}/{term}");
    }

    private void CheckCommitted(Replica replica, LogIndex index)
    {
        Term term = replica.Group.TermAt(index)!.Value;
        if (_committed.TryGetValue(index, out var known))
        {
            Invariant.Holds(known.Of == term, $"{replica.Id} commits {index}/{term}, committed is {index}/{known.Of}");
            return;
        }

        _committed.Add(index, (term, replica.Group.Term));
        CheckCommittedConfiguration(index);
        _lastCommitted = LogIndex.Max(_lastCommitted, index);
        // The newest configuration decides; it may have come into the log after the entry was committed.
        bool isOnDisks = IsHeldByMajority(replica.Group.Configuration, index, term) || IsHeldByMajority(replica.Group.ConfigurationAt(index), index, term);
        Invariant.Holds(isOnDisks, $"{replica.Id} commits {index}/{term}, which is not on the disks of a majority");
    }

    /// <summary>Counted here, and not by the quorums that are being checked.</summary>
    private bool IsHeldByMajority(Configuration configuration, LogIndex index, Term term) =>
        ((ConfigurationHalf[])[configuration.Incoming, configuration.Outgoing]).All(half =>
            half.IsEmpty || 2 * half.Voters.Count(voter => _cluster.DiskOf(voter.Replica) is { } disk && Holds(disk, index, term)) > half.Voters.Length);

    /// <summary>In the log, or flushed.</summary>
    private static bool Holds(Disk disk, LogIndex index, Term term) =>
        index <= disk.SnapshotIndex ? disk.Store[(int)index.Value - 1].Term == term : disk.TermAt(index) == term;

    private void CheckGrant(ReadGrant grant)
    {
        Invariant.Holds(_committedWhenAsked.Remove(grant.Context, out LogIndex committed), $"read {grant.Context} is granted twice");
        Invariant.Holds(grant.Index >= committed, $"read {grant.Context} at {grant.Index} misses {committed}, committed when it was asked for");
        ReadsGranted++;
    }

    private void NoteConfiguration(in Entry entry)
    {
        if (entry.Kind != EntryKind.Configuration) return;
        if (!_configurations.TryGetValue(entry.Index, out var known)) _configurations.Add(entry.Index, known = []);
        known.Add((entry.Term, Configuration.Parse(entry.Payload.Span, out _)));
    }

    /// <summary>What is in force is what a scan of the log finds, and of the applied part (bugs.md M3).</summary>
    private void CheckConfiguration(Replica replica)
    {
        RaftGroup group = replica.Group;
        if (group.LastIndex == LogIndex.Zero) return;
        Configuration inForce = NewestIn(group, group.LastIndex);
        Invariant.Holds(group.Configuration == inForce, $"{group} uses {group.Configuration}, its log says {inForce}");
        if (!group.IsInstalling) Invariant.Holds(group.AppliedConfiguration == NewestIn(group, group.Applied), $"{group} takes {group.AppliedConfiguration} for applied");
    }

    private Configuration NewestIn(RaftGroup group, LogIndex upTo)
    {
        foreach (var (index, known) in _configurations.Reverse().Where(known => known.Key <= upTo))
        {
            Term? term = index < group.SnapshotIndex ? _committed[index].Of : group.TermAt(index);
            foreach (var (ofTerm, configuration) in known)
                if (ofTerm == term) return configuration;
        }

        return Configuration.Empty;
    }

    /// <summary>Whoever is gone never comes back.</summary>
    private void CheckCommittedConfiguration(LogIndex index)
    {
        if (!_configurations.TryGetValue(index, out var known)) return;
        foreach (var (_, configuration) in known.Where(known => known.Term == _committed[index].Of))
        {
            Changes++;
            Invariant.Holds(!configuration.Members.Any(member => _removed.Contains(member.Replica)), $"{configuration} is committed at {index}, with one that is gone");
        }
    }

    /// <summary>A replica goes only when a configuration without it is committed, behind all that had it.</summary>
    private void OnBuried(Replica replica)
    {
        Check(replica);
        Check();
        _removed.Add(replica.Id);
        foreach (var (index, known) in _configurations.Reverse())
        {
            if (!_committed.TryGetValue(index, out var committed)) continue;
            foreach (var (_, configuration) in known.Where(known => known.Term == committed.Of))
            {
                Invariant.Holds(!configuration.Contains(replica.Id), $"{replica.Id} is gone, though {configuration} is committed at {index}");
                return;
            }
        }
    }
}
