using System.Text;

namespace RaftKv.Raft.Tests;

/// <summary>
/// One pure RaftGroup with the least host around it: a disk that completes writes in order (at once, or when the test says
/// so), a state machine that is a list, an outbox. The rules of Ready are the host's: SendNow leaves at once,
/// SendAfterPersist when the write of its Ready is complete. So are those of snapshots: the state machine goes over to one
/// only when the write with its commit point is complete.
/// </summary>
internal sealed partial class Replica
{
    private readonly Clock _clock;
    private readonly Func<RaftOptions, RaftOptions> _configure;
    private readonly Ready _ready = new();
    private readonly Queue<PendingWrite> _writes = new();
    private readonly Queue<Action> _applying = new();
    private readonly List<Message> _outbox = [];
    private ulong _lives;
    private Snapshot? _accepted;

    public Replica(ulong id, Configuration configuration, Disk disk, Clock? clock = null, Func<RaftOptions, RaftOptions>? configure = null)
    {
        Id = new ReplicaId(id);
        Configuration = configuration;
        Disk = disk;
        _clock = clock ?? new Clock();
        _configure = configure ?? (options => options);
        StateMachine = disk.Store;
        Group = Start();
    }

    public ReplicaId Id { get; }

    public Configuration Configuration { get; }

    public Disk Disk { get; }

    public Clock Clock => _clock;

    public RaftGroup Group { get; private set; }

    /// <summary>Writes wait until the test completes them: Persist.</summary>
    public bool HoldsWrites { get; set; }

    /// <summary>The state machine applies nothing until the test says so: ApplyAll.</summary>
    public bool HoldsApply { get; set; }

    /// <summary>Log reads wait in <see cref="LogReads"/> until the test answers them.</summary>
    public bool HoldsLogReads { get; set; }

    /// <summary>What the state machine has applied in this life, and before it as far as it was on disk.</summary>
    public List<Entry> StateMachine { get; private set; }

    /// <summary>The last index of it.</summary>
    public LogIndex Applied { get; private set; }

    /// <summary>Followers that a Ready asked to send a snapshot to, oldest first.</summary>
    public List<ReplicaId> SnapshotsAsked { get; } = [];

    public List<(LogIndex First, LogIndex Last, bool FromLog)> ApplyRuns { get; } = [];

    public List<ReadGrant> Grants { get; } = [];

    public List<ulong> ReadsDropped { get; } = [];

    public List<LogReadRequest> LogReads { get; } = [];

    /// <summary>Every message that left, in order, with what was on disk at that time still to be seen: called as it leaves.</summary>
    public Action<Message>? OnLeave { get; set; }

    /// <summary>Called with every Ready that is not empty, before anything is done with it.</summary>
    public Action<Ready>? OnReady { get; set; }

    /// <summary>Called with every entry as the state machine applies it.</summary>
    public Action<Entry>? OnApply { get; set; }

    /// <summary>Called when the state machine has gone over to a snapshot.</summary>
    public Action<Snapshot>? OnInstalled { get; set; }

    public int PendingWrites => _writes.Count;

    /// <summary>What stands in SendAfterPersist of the writes that are not complete.</summary>
    public IReadOnlyList<Message> WaitingForDisk => [.. _writes.SelectMany(write => write.Messages)];

    /// <summary>A replica of a group of <paramref name="voters"/> voters, 1…n, with no other replica around.</summary>
    public static Replica Alone(int voters = 3, Disk? disk = null, ulong id = 1, Func<RaftOptions, RaftOptions>? configure = null) =>
        new(id, Some.Voters(voters), disk ?? new Disk(), null, configure);

    /// <summary>r1 as a leader, elected by r2, r3…; its no-op is appended, on its own disk, and acknowledged by nobody.</summary>
    public static Replica Leading(int voters = 3, Disk? disk = null, Func<RaftOptions, RaftOptions>? configure = null)
    {
        Replica replica = Alone(voters, disk, 1, configure);
        replica.Campaign();
        for (ulong voter = 2; voter <= (ulong)voters; voter++)
            if (replica.Group.Role == Role.Candidate) replica.Receive(Some.VoteResponse(voter, 1, replica.Term));
        Assert.Equal(Role.Leader, replica.Group.Role);
        replica.TakeSent();
        return replica;
    }

    public ulong Term => Group.Term.Value;

    public ulong Commit => Group.Commit.Value;

    public ulong Last => Group.LastIndex.Value;

    public string LogTerms
    {
        get
        {
            StringBuilder text = new();
            for (LogIndex index = Group.SnapshotIndex.Next; index <= Group.LastIndex; index = index.Next) text.Append(index == Group.SnapshotIndex.Next ? "" : " ").Append(Group.TermAt(index)!.Value.Value);
            return text.ToString();
        }
    }

    /// <summary>Lets the longest election timeout pass; the replica is a pre-candidate then (and a candidate if alone).</summary>
    public void TimeOut() => TickAfter(1000);

    /// <summary>Times out and wins the pre-vote; the replica is a candidate then, or waits for its disk to be one.</summary>
    public void Campaign()
    {
        TimeOut();
        foreach (Member member in Group.Configuration.Members)
            if (member.Replica != Id && Group.Role == Role.PreCandidate) Receive(Some.PreVoteResponse(member.Replica.Value, Id.Value, Term + 1));
    }

    public void TickAfter(long millis)
    {
        _clock.Advance(millis);
        Tick();
    }

    public void Tick()
    {
        Group.Tick(_clock.Micros);
        Pump();
    }

    public void Receive(in Message message)
    {
        Group.Step(_clock.Micros, message);
        Pump();
    }

    /// <summary>Receives one message and returns what left because of it.</summary>
    public Message[] Answer(in Message message)
    {
        TakeSent();
        Receive(message);
        return TakeSent();
    }

    public ProposeResult Propose(string payload)
    {
        ProposeResult result = Group.Propose(_clock.Micros, 0, 0, 0, Encoding.UTF8.GetBytes(payload));
        Pump();
        return result;
    }

    /// <summary>Appends without a turn of the host after it: several proposals gather into one Ready.</summary>
    public ProposeResult ProposeSilently(string payload) => Group.Propose(_clock.Micros, 0, 0, 0, Encoding.UTF8.GetBytes(payload));

    public bool Read(ulong context, bool mayUseLease = false)
    {
        bool taken = Group.TryRequestRead(_clock.Micros, context, mayUseLease);
        Pump();
        return taken;
    }

    /// <summary>Completes the oldest write: it is on disk, and what waited for it leaves.</summary>
    public void PersistOne()
    {
        CompleteWrite();
        Pump();
    }

    public void PersistAll()
    {
        while (_writes.Count > 0) PersistOne();
    }

    public void ApplyAll()
    {
        ApplyHandedOut();
        Pump();
    }

    /// <summary>What is applied is flushed: a crash keeps it, and the log need not. Returns how far that is.</summary>
    public LogIndex Flush()
    {
        // A snapshot's store is durable, but not what the state machine is over yet.
        bool isSwitching = !ReferenceEquals(StateMachine, Disk.Store);
        if (!isSwitching) Disk.Flushed = LogIndex.Max(Disk.Flushed, Disk.Applied);
        return isSwitching ? LogIndex.Zero : Disk.Flushed;
    }

    /// <summary>Cuts the log at <paramref name="index"/>, which is flushed.</summary>
    public void CompactTo(ulong index)
    {
        Group.CompactTo(new LogIndex(index));
        Pump();
    }

    /// <summary>Flushes everything and cuts the log there.</summary>
    public void Compact() => CompactTo(Flush().Value);

    /// <summary>The flushed state, and this replica's term now.</summary>
    public Snapshot TakeSnapshot()
    {
        Entry[] entries = [.. Disk.Store.TakeWhile(entry => entry.Index <= Disk.Flushed)];
        Assert.Equal(Disk.Flushed.Value, (ulong)entries.Length);
        return new Snapshot(Id, new SnapshotHead(Group.Term, Disk.Flushed, entries.Length == 0 ? default : entries[^1].Term, Disk.ConfigurationIn(entries, Configuration)), entries);
    }

    /// <summary>Offers a whole snapshot. Busy: the caller may do so again.</summary>
    public InstallStatus Install(Snapshot snapshot)
    {
        InstallStatus status = InstallSilently(snapshot);
        Pump();
        return status;
    }

    /// <summary>The same without a turn of the host after it.</summary>
    public InstallStatus InstallSilently(Snapshot snapshot)
    {
        InstallStatus status = Group.TryInstall(_clock.Micros, snapshot.Head);
        if (status == InstallStatus.Accepted) _accepted = snapshot;
        return status;
    }

    /// <summary>Steps one message without a turn of the host after it.</summary>
    public void ReceiveSilently(in Message message) => Group.Step(_clock.Micros, message);

    /// <summary>How a snapshot that was sent from here ended.</summary>
    public void EndSnapshot(ulong to, ulong installed)
    {
        Group.OnSnapshotEnded(_clock.Micros, new ReplicaId(to), new LogIndex(installed));
        Pump();
    }

    /// <summary>Answers the oldest log read from the disk.</summary>
    public void AnswerLogRead()
    {
        LogReadRequest request = LogReads[0];
        LogReads.RemoveAt(0);
        AnswerLogRead(request, Disk.Read(request.First, request.Last, request.MaxBytes));
    }

    public void AnswerLogRead(LogReadRequest request, Entry[] entries)
    {
        Group.OnLogRead(_clock.Micros, request, entries);
        Pump();
    }

    /// <summary>Messages that left since the last call.</summary>
    public Message[] TakeSent()
    {
        Message[] sent = [.. _outbox];
        _outbox.Clear();
        return sent;
    }

    /// <summary>
    /// A crash and a start: what is only in memory is lost. Of the writes in flight the oldest
    /// <paramref name="writesThatReachedTheDisk"/> are on it, though nobody was told.
    /// </summary>
    public void Restart(int writesThatReachedTheDisk = 0)
    {
        foreach (PendingWrite write in _writes.Take(writesThatReachedTheDisk)) write.To(Disk);
        _writes.Clear();
        _outbox.Clear();
        _applying.Clear();
        LogReads.Clear();
        ApplyRuns.Clear();
        Grants.Clear();
        ReadsDropped.Clear();
        SnapshotsAsked.Clear();
        _accepted = null;
        IsRemoved = _asksEverybody = false;
        _lives++;
        StateMachine = Disk.Store;
        StateMachine.RemoveAll(entry => entry.Index > Disk.Applied);
        Group = Start();
        Pump();
    }

    public void Pump()
    {
        while (true)
        {
            Group.TakeReady(_ready);
            if (_ready.IsRemoved)
            {
                GiveUp(_ready);
                return;
            }

            if (_ready.IsEmpty) return;
            OnReady?.Invoke(_ready);
            Handle(_ready);
            if (!HoldsWrites)
                while (_writes.Count > 0) CompleteWrite();
            if (!HoldsLogReads)
                while (LogReads.Count > 0) AnswerLogReadSilently();
        }
    }

    private void Handle(Ready ready)
    {
        foreach (Message message in ready.SendNow) Leave(Copy(message));
        if (ready.MustPersist)
            _writes.Enqueue(new PendingWrite(ready.Number, ready.LogStart, TakeAccepted(ready.LogStart), ready.HardState, ready.Entries.ToArray(), [.. ready.SendAfterPersist.Select(message => Copy(message))]));
        Grants.AddRange(ready.ReadGrants);
        ReadsDropped.AddRange(ready.ReadsDropped);
        LogReads.AddRange(ready.LogReads);
        SnapshotsAsked.AddRange(ready.SnapshotsToSend);
        _asksEverybody |= ready.AsksEverybody;
        if (ready.ApplyLast == LogIndex.Zero) return;
        ApplyRuns.Add((ready.ApplyFirst, ready.ApplyLast, ready.ApplyEntries.IsEmpty));
        Entry[] entries = ready.ApplyEntries.IsEmpty ? Disk.Read(ready.ApplyFirst, ready.ApplyLast) : ready.ApplyEntries.ToArray();
        Assert.Equal((ready.ApplyFirst, ready.ApplyLast), (entries[0].Index, entries[^1].Index));
        AddToApply(() => Apply(entries));
    }

    /// <summary>The snapshot that the group accepted goes with the write of its commit point.</summary>
    private Snapshot? TakeAccepted(LogStart? start)
    {
        if (_accepted is null || start is not { } point) return null;
        Assert.Equal((_accepted.Head.Index, _accepted.Head.LogTerm), (point.Index, point.Term));
        Snapshot accepted = _accepted;
        _accepted = null;
        return accepted;
    }

    private void AddToApply(Action work)
    {
        _applying.Enqueue(work);
        if (!HoldsApply) ApplyHandedOut();
    }

    private void ApplyHandedOut()
    {
        while (_applying.TryDequeue(out Action? work)) work();
    }

    private void Apply(Entry[] entries)
    {
        Assert.Equal(Applied.Next, entries[0].Index);
        foreach (Entry entry in entries)
        {
            StateMachine.Add(entry);
            OnApply?.Invoke(entry);
        }

        Applied = Disk.Applied = entries[^1].Index;
        Group.OnApplied(Applied);
    }

    private void GoOverTo(Snapshot snapshot)
    {
        Assert.True(snapshot.Index > Applied, $"{snapshot} in place of {Applied}");
        StateMachine = Disk.Store;
        Applied = snapshot.Index;
        OnInstalled?.Invoke(snapshot);
        Group.OnApplied(Applied);
    }

    private void CompleteWrite()
    {
        PendingWrite write = _writes.Dequeue();
        write.To(Disk);
        foreach (Message message in write.Messages) Leave(message);
        Group.OnPersisted(_clock.Micros, write.Number);
        if (write.Installed is { } snapshot) AddToApply(() => GoOverTo(snapshot));
    }

    private void AnswerLogReadSilently()
    {
        LogReadRequest request = LogReads[0];
        LogReads.RemoveAt(0);
        Group.OnLogRead(_clock.Micros, request, Disk.Read(request.First, request.Last, request.MaxBytes));
    }

    private void Leave(Message message)
    {
        OnLeave?.Invoke(message);
        _outbox.Add(message);
    }

    private RaftGroup Start()
    {
        RaftOptions options = _configure(new RaftOptions { Group = new GroupId(7), Replica = Id, Seed = Id.Value * 1000 + _lives });
        RaftStart start = Disk.ToStart(Configuration);
        Applied = start.Applied;
        return new RaftGroup(options, start, _clock.Micros);
    }

    private static Message Copy(Message message) => message with { Entries = message.Entries.ToArray() };

    private sealed record PendingWrite(ulong Number, LogStart? Start, Snapshot? Installed, HardState? HardState, Entry[] Entries, Message[] Messages)
    {
        public void To(Disk disk) => disk.Write(Start, Installed, HardState, Entries);
    }
}
