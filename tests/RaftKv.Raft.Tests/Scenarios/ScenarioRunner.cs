using System.Globalization;
using System.Text;

namespace RaftKv.Raft.Tests.Scenarios;

/// <summary>
/// Runs the commands of a scenario file against a cluster and answers each with text in RaftText's notation.
/// </summary>
/// <remarks>
/// <code>
/// new 3 [append=1] [cache=0] [window=2]   replicas 1 … 3; limits: bytes of an append, bytes cached, messages in flight
/// born 3                    the same as in production: the log begins behind 10/t5, nodes 1 … 3 hold replicas 1 … 3, and messages make others
/// log 2 term=3 [vote=1] [commit=1] 1 1 3  replica 2 starts anew from a disk with these terms as its log
/// tick 600ms [1]            time passes; then replica 1 (all, in order) ticks
/// run 2000ms                time passes for all, a tick each 50 ms, everything delivered; says who leads
/// elect 1                   1,000 ms pass, replica 1 ticks, everything is delivered; says the states
/// propose 1 x               replica 1 is given a command
/// members 1 add=4 promote=9 demote=2 remove=3   replica 1 is asked to change members: add on node 4, the others by replica
/// config [1]                the newest configuration in the log of each replica, and the applied one
/// read 1 7                  replica 1 is asked for a read index, context 7
/// deliver [1>2] [Append]    delivers what is on its way (that matches, once each), then what follows from it
/// step [1>2] [Append]       the same, but not what follows from it
/// drop [1>2] [Append]       loses what is on its way (that matches)
/// duplicate [1>2] [Append]  what is on its way (that matches) will be delivered twice
/// flight                    shows what is on its way
/// isolate 1 | split 1 2/3 4 5 | heal
/// hold 2                    replica 2's disk, hold-apply, hold-log-reads: waits for …
/// persist 2 [1]             … completes its writes (the oldest one)
/// release 2                 … completes everything and holds nothing back any more
/// log-read 2                answers replica 2's oldest log read from its disk
/// compact 1 5               replica 1 flushes its store and cuts its log at 5
/// snapshot 1 s              replica 1's flushed state as it is now, to be known as s
/// install 3 s               replica 3 is offered it; says what became of it
/// give                      every snapshot that was asked for arrives; says what became of it
/// ended 1 3 5               replica 1 is told that its snapshot for 3 was installed up to 5; 0 if it was not
/// restart 2                 replica 2 crashes and starts with what is on its disk
/// state [1]                 one line per replica; log [1] terms of the log
/// </code>
/// Lines that begin with # are comments. A command ends in "quiet" to answer with nothing.
/// </remarks>
internal sealed class ScenarioRunner
{
    private readonly StringBuilder _output = new();
    private readonly Dictionary<string, Snapshot> _snapshots = [];
    private Cluster? _cluster;
    private bool _showsSends;

    private Cluster Cluster => _cluster ?? throw new InvalidOperationException("the first command is: new");

    public string Run(string command)
    {
        _output.Clear();
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool isQuiet = words[^1] == "quiet";
        if (isQuiet) words = words[..^1];
        _showsSends = true;
        Do(words[0], words[1..]);
        if (isQuiet) _output.Clear();
        if (_output.Length == 0) _output.AppendLine("ok");
        return _output.ToString();
    }

    private void Do(string verb, string[] arguments)
    {
        switch (verb)
        {
            case "new": New(arguments, configure => new Cluster(Id(arguments), null, configure)); break;
            case "born": New(arguments, configure => Cluster.Born(Id(arguments), configure)); break;
            case "log" when arguments.Any(argument => argument.Contains('=')): Log(arguments); break;
            case "log": ForEach(arguments, replica => _output.AppendLine($"{replica.Id} log {replica.LogTerms}")); break;
            case "tick": Tick(arguments); break;
            case "run": RunFor(arguments); break;
            case "elect": Elect(One(arguments)); break;
            case "propose": Propose(One(arguments), arguments[1]); break;
            case "members": ChangeMembers(One(arguments), arguments[1..]); break;
            case "config": ForEach(arguments, replica => _output.AppendLine($"{replica.Id} {replica.Group.Configuration}, applied {replica.Group.AppliedConfiguration}")); break;
            case "read": if (!One(arguments).Read(ulong.Parse(arguments[1]))) _output.AppendLine($"{One(arguments).Id} does not lead"); break;
            case "deliver": Deliver(Filter(arguments), andWhatFollows: true); break;
            case "step": Deliver(Filter(arguments), andWhatFollows: false); break;
            case "drop": foreach (Message message in Cluster.Drop(Filter(arguments))) _output.AppendLine($"lost {message}"); break;
            case "duplicate": Duplicate(Filter(arguments)); break;
            case "flight": Collect(); foreach (Message message in Cluster.InFlight) _output.AppendLine($"{message}"); break;
            case "isolate": Cluster.Isolate(Id(arguments)); break;
            case "split": Cluster.Partition([.. string.Join(' ', arguments).Split('/').Select(side => side.Split(' ').Select(int.Parse).ToArray())]); break;
            case "heal": Cluster.Heal(); break;
            case "hold": One(arguments).HoldsWrites = true; break;
            case "hold-apply": One(arguments).HoldsApply = true; break;
            case "hold-log-reads": One(arguments).HoldsLogReads = true; break;
            case "persist": Persist(One(arguments), arguments.Length > 1); break;
            case "release": Release(One(arguments)); break;
            case "log-read": One(arguments).AnswerLogRead(); break;
            case "compact": One(arguments).Flush(); One(arguments).CompactTo(ulong.Parse(arguments[1])); break;
            case "snapshot": TakeSnapshot(One(arguments), arguments[1]); break;
            case "install": Install(One(arguments), _snapshots[arguments[1]]); break;
            case "give": GiveSnapshots(); break;
            case "ended": One(arguments).EndSnapshot(ulong.Parse(arguments[1]), ulong.Parse(arguments[2])); break;
            case "restart": One(arguments).Restart(); _output.AppendLine($"{One(arguments).Group}"); break;
            case "state": ForEach(arguments, replica => _output.AppendLine($"{replica.Group}")); break;
            default: throw new InvalidOperationException($"no such command: {verb}");
        }
    }

    private void New(string[] arguments, Func<Func<RaftOptions, RaftOptions>, Cluster> make)
    {
        Dictionary<string, int> limits = arguments.Skip(1).Select(argument => argument.Split('=')).ToDictionary(pair => pair[0], pair => int.Parse(pair[1], CultureInfo.InvariantCulture));
        _cluster = make(options => options with
        {
            MaxAppendBytes = limits.GetValueOrDefault("append", options.MaxAppendBytes),
            MaxCachedBytes = limits.GetValueOrDefault("cache", options.MaxCachedBytes),
            MaxInFlightMessages = limits.GetValueOrDefault("window", options.MaxInFlightMessages),
        });
        foreach (Replica replica in _cluster.Replicas) replica.OnReady = ready => Show(replica, ready);
        _cluster.OnMade += replica =>
        {
            _output.AppendLine($"  {replica.Id}: made on node {_cluster.NodeOf(replica.Id).Value}");
            replica.OnReady = ready => Show(replica, ready);
        };
    }

    private void Log(string[] arguments)
    {
        Replica replica = One(arguments);
        Dictionary<string, ulong> state = arguments.Where(argument => argument.Contains('=')).Select(argument => argument.Split('=')).ToDictionary(pair => pair[0], pair => ulong.Parse(pair[1]));
        ulong[] terms = [.. arguments.Skip(1).Where(argument => !argument.Contains('=')).Select(ulong.Parse)];
        Disk disk = Disk.Of(state["term"], state.GetValueOrDefault("vote"), state.GetValueOrDefault("commit"), terms);
        replica.Disk.HardState = disk.HardState;
        replica.Disk.Entries.Clear();
        replica.Disk.Entries.AddRange(disk.Entries);
        replica.Restart();
        _output.AppendLine($"{replica.Group}");
    }

    private void Tick(string[] arguments)
    {
        Cluster.Clock.Advance(Millis(arguments[0]));
        ForEach(arguments[1..], replica => replica.Tick());
    }

    private void RunFor(string[] arguments)
    {
        _showsSends = false;
        Cluster.Run(Millis(arguments[0]));
        _output.Clear();
        foreach (Replica replica in Cluster.Replicas) _output.AppendLine($"{replica.Id} {replica.Group.Role} {replica.Group.Term} leader {replica.Group.Leader} commit {replica.Group.Commit} last {replica.Group.LastIndex}");
    }

    private void Elect(Replica replica)
    {
        replica.TimeOut();
        Cluster.Deliver();
        _output.Clear();
        foreach (Replica each in Cluster.Replicas) _output.AppendLine($"{each.Group}");
    }

    private void Propose(Replica replica, string payload)
    {
        ProposeResult result = replica.ProposeSilently(payload);
        _output.AppendLine(result.Status == ProposeStatus.Appended ? $"{replica.Id} appends {result.Index}/{result.Term}" : $"{replica.Id} {result.Status}");
        replica.Pump();
    }

    private void ChangeMembers(Replica replica, string[] arguments)
    {
        MemberChange[] changes = [.. arguments.Select(argument => argument.Split('=')).Select(change => (change[0], ulong.Parse(change[1])) switch
        {
            ("add", var node) => MemberChange.AddLearner(new NodeId(node)),
            ("promote", var member) => MemberChange.Promote(new ReplicaId(member)),
            ("demote", var member) => MemberChange.Demote(new ReplicaId(member)),
            ("remove", var member) => MemberChange.Remove(new ReplicaId(member)),
            _ => throw new InvalidOperationException($"no such change: {change[0]}"),
        })];
        try
        {
            ProposeResult result = replica.Change(changes);
            _output.Insert(0, result.Status == ProposeStatus.Appended ? $"{replica.Id} appends {result.Index}/{result.Term} {replica.Group.Configuration}\n" : $"{replica.Id} {result.Status}\n");
        }
        catch (ArgumentException senseless)
        {
            _output.AppendLine($"{replica.Id} refuses: {senseless.Message}");
        }
    }

    private void GiveSnapshots()
    {
        _showsSends = false;
        foreach (var (snapshot, to, status) in Cluster.GiveSnapshots()) _output.AppendLine($"{snapshot} for {to}: {status}");
    }

    private void Deliver(Func<Message, bool> which, bool andWhatFollows)
    {
        _showsSends = false;
        Collect();
        int count = andWhatFollows ? int.MaxValue : Cluster.InFlight.Count(which);
        Cluster.OnDeliver = message => _output.AppendLine($"{message}");
        Cluster.Deliver(message => which(message) && count-- > 0);
        Cluster.OnDeliver = null;
    }

    private void Duplicate(Func<Message, bool> which)
    {
        Collect();
        Message[] again = [.. Cluster.InFlight.Where(which)];
        Cluster.InFlight.AddRange(again);
        foreach (Message message in again) _output.AppendLine($"twice {message}");
    }

    private static void Persist(Replica replica, bool onlyOldest)
    {
        if (onlyOldest) replica.PersistOne();
        else replica.PersistAll();
    }

    private void TakeSnapshot(Replica replica, string name)
    {
        replica.Flush();
        _snapshots[name] = replica.TakeSnapshot();
        _output.AppendLine($"{_snapshots[name]}");
    }

    private void Install(Replica replica, Snapshot snapshot)
    {
        _output.AppendLine($"{replica.Id} {replica.InstallSilently(snapshot)}");
        replica.Pump();
    }

    private static void Release(Replica replica)
    {
        replica.HoldsWrites = replica.HoldsApply = replica.HoldsLogReads = false;
        replica.PersistAll();
        replica.ApplyAll();
        while (replica.LogReads.Count > 0) replica.AnswerLogRead();
    }

    private void Collect() => Cluster.Collect();

    /// <summary>A Ready as RaftText describes it; while messages are delivered, without the sends: they show up when they arrive.</summary>
    private void Show(Replica replica, Ready ready)
    {
        foreach (string line in RaftText.Describe(ready).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (_showsSends || !line.StartsWith("send", StringComparison.Ordinal)) _output.AppendLine($"  {replica.Id}: {line.TrimEnd()}");
    }

    private void ForEach(string[] arguments, Action<Replica> act)
    {
        foreach (Replica replica in Cluster.Replicas)
            if (arguments.Length == 0 || arguments.Contains(replica.Id.Value.ToString(CultureInfo.InvariantCulture))) act(replica);
    }

    private Replica One(string[] arguments) => Cluster[Id(arguments)];

    private static int Id(string[] arguments) => int.Parse(arguments[0], CultureInfo.InvariantCulture);

    private static long Millis(string text) => long.Parse(text.Replace("ms", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);

    private static Func<Message, bool> Filter(string[] arguments) => message =>
        Array.TrueForAll(arguments, argument => argument.Contains('>') ? Matches(argument.Split('>'), message) : argument == message.Kind.ToString());

    private static bool Matches(string[] link, Message message) => IsReplica(link[0], message.From) && IsReplica(link[1], message.To);

    private static bool IsReplica(string text, ReplicaId replica) => text.Length == 0 || text == replica.Value.ToString(CultureInfo.InvariantCulture);
}
