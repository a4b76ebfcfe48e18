using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>A node's replicas and the pumps that run them: three for requests, one for snapshots beside them. Threads are the caller's: see RaftKv.Node/PumpThreads.cs, or the simulator.</summary>
public sealed class MultiRaftHost : IDisposable
{
    private readonly IRaftLog _log;

    private MultiRaftHost(GroupWorker worker, LogWriter logWriter, Applier applier, SnapshotStreamer snapshots, IRaftLog log)
    {
        Snapshots = snapshots;
        Worker = worker;
        LogWriter = logWriter;
        Applier = applier;
        _log = log;
    }

    public GroupWorker Worker { get; }

    public LogWriter LogWriter { get; }

    public Applier Applier { get; }

    public SnapshotStreamer Snapshots { get; }

    /// <summary>The state machines of this node's replicas, in the order of their groups; APPLY owns each, and replaces it when it installs a snapshot.</summary>
    /// <remarks>On the STEP thread only, or when the pumps have stopped.</remarks>
    public IEnumerable<IStateMachine> Machines => Worker.Machines;

    /// <summary>
    /// Starts every replica that recovery found; one whose store is damaged is there, but stopped. Throws <see cref="InvariantViolatedException"/> when a store is ahead of the log, which
    /// means that synced log was lost: the process must not take part any more.
    /// </summary>
    public static MultiRaftHost Start(HostOptions options, RecoveredLog recovered, IRaftLog log, IStateMachines machines, IPeerLinks links, long now)
    {
        LogWriter logWriter = new(log, links, options);
        SnapshotStreamer snapshots = new(options, machines, links);
        Applier applier = new(log, snapshots, options);
        GroupWorker worker = new(options, logWriter, applier, snapshots, log, links);
        logWriter.Connect(worker);
        applier.Connect(worker);
        snapshots.Connect(worker);
        MultiRaftHost host = new(worker, logWriter, applier, snapshots, log);
        try
        {
            machines.DeleteAllBut([.. recovered.Groups.Select(group => (group.Group, group.CommitPoint.Generation))], [.. recovered.Tombstones.Select(tombstone => tombstone.Group)]);
            foreach (var (group, replica) in recovered.Tombstones) worker.AddTombstone(group, replica);
            foreach (RecoveredGroup group in recovered.Groups)
            {
                try
                {
                    IStateMachine machine = group.CommitPoint.Generation == 0 ? new EmptyMachine(group.Group) : machines.Open(group.Group, group.CommitPoint.Generation);
                    HostedReplica replica = Host(options, group, log, machine, now);
                    worker.Add(replica);
                    snapshots.Add(replica);
                }
                catch (StoreDamagedException damage)
                {
                    EmptyMachine none = new(group.Group);
                    HostedReplica replica = new(StartGroup(options, group, log, group.CommitPoint.Index, now), none, group.CommitPoint, options.Observer);
                    worker.AddStopped(replica, damage.Message);
                    snapshots.Add(replica); // Its generation is used up, also for whoever lives here next.
                }
            }
        }
        catch
        {
            host.Dispose();
            throw;
        }

        return host;
    }

    /// <summary>Connects what routes requests; before the first turn.</summary>
    public void Connect(IFront front) => Worker.Connect(front);

    /// <summary>Closes stores and log. The pumps must have stopped.</summary>
    public void Dispose()
    {
        Snapshots.Dispose();
        foreach (IStateMachine machine in Worker.MachinesToClose) machine.Dispose();
        _log.Dispose();
    }

    /// <summary>A replica that a message calls into being: it knows nothing yet, and its first write to the log says that it exists.</summary>
    internal static HostedReplica CreateEmpty(HostOptions options, GroupId group, ReplicaId replica, long now)
    {
        CommitPoint point = new(replica, 0, LogIndex.Zero, Term.Zero, Configuration.Empty, 0, 0);
        RaftStart start = new()
        {
            HardState = default,
            Configuration = Configuration.Empty,
            SnapshotIndex = LogIndex.Zero,
            SnapshotTerm = Term.Zero,
            TermRuns = [],
            LastIndex = LogIndex.Zero,
            Applied = LogIndex.Zero,
            IsNew = true,
        };
        return new HostedReplica(new RaftGroup(OptionsOf(options, group, replica), start, now), new EmptyMachine(group), point, options.Observer);
    }

    private static HostedReplica Host(HostOptions options, RecoveredGroup group, IRaftLog log, IStateMachine machine, long now)
    {
        try
        {
            LogIndex begins = group.CommitPoint.Index;
            if (machine.Applied < begins) throw new StoreDamagedException($"{group.Group}: the store has applied {machine.Applied}, its commit point says {begins}: it has forgotten what it had flushed");
            return new HostedReplica(StartGroup(options, group, log, machine.Applied, now), machine, group.CommitPoint, options.Observer);
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    private static RaftGroup StartGroup(HostOptions options, RecoveredGroup group, IRaftLog log, LogIndex applied, long now)
    {
        CommitPoint point = group.CommitPoint;
        Invariant.Holds(applied <= group.LastIndex, $"{group.Group}: the store has applied {applied}, the raft log ends at {group.LastIndex}: synced log was lost");
        RaftStart start = new()
        {
            HardState = group.HardState,
            Configuration = point.Configuration,
            ConfigurationsBehind = [.. group.ConfigurationIndexes.Select(index => (index, ConfigurationIn(log, group.Group, index)))],
            SnapshotIndex = point.Index,
            SnapshotTerm = point.Term,
            TermRuns = group.TermRuns,
            LastIndex = group.LastIndex,
            Applied = applied,
        };
        return new RaftGroup(OptionsOf(options, group.Group, point.Replica), start, now);
    }

    private static Configuration ConfigurationIn(IRaftLog log, GroupId group, LogIndex index) => Configuration.Parse(log.Read(group, index, index, 1)[0].Payload.Span, out _);

    internal static RaftOptions OptionsOf(HostOptions options, GroupId group, ReplicaId replica) =>
        new()
        {
            Group = group,
            Replica = replica,
            ElectionTimeoutMicros = options.ElectionTimeoutMicros,
            HeartbeatIntervalMicros = options.HeartbeatIntervalMicros,
            ElectionDelayMicros = options.ElectionDelayMicros,
            HasLeases = options.HasLeases,
            MaxAppendBytes = options.MaxAppendBytes,
            MaxInFlightBytes = options.MaxInFlightBytes,
            MaxUncommittedBytes = options.MaxUncommittedBytes,
            MaxUnappliedBytes = options.MaxUnappliedBytes,
            MaxCachedBytes = options.MaxCachedBytes,
            Seed = options.Seed ^ (group.Value * 0x9E3779B97F4A7C15) ^ replica.Value,
        };
}
