using BenchmarkDotNet.Attributes;
using RaftKv.Raft;

namespace RaftKv.Benchmarks;

/// <summary>STEP: a leader of three takes puts, hands them out, and commits them on one acknowledgement. Per put.</summary>
[MemoryDiagnoser]
public class StepBenchmark
{
    private const int Turn = 1024;
    private readonly Ready _ready = new();
    private byte[][] _puts = [];
    private RaftGroup _group = null!;

    /// <summary>How many gather in one turn.</summary>
    [Params(1, 16, 128)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _puts = Some.Puts(Turn, new Random(1));
        Member[] members = [.. Enumerable.Range(1, 3).Select(i => new Member(new ReplicaId((ulong)i), new NodeId((ulong)i)))];
        RaftStart start = new()
        {
            HardState = new HardState(Some.BirthTerm, ReplicaId.None, Some.Birth),
            Configuration = Configuration.OfVoters([.. members]),
            SnapshotIndex = Some.Birth,
            SnapshotTerm = Some.BirthTerm,
            TermRuns = [],
            LastIndex = Some.Birth,
            Applied = Some.Birth,
        };
        _group = new RaftGroup(new RaftOptions { Group = Some.Group, Replica = Some.Replica, Seed = 1, ElectionTimeoutMicros = long.MaxValue / 4 }, start, 0);
        _group.Tick(long.MaxValue / 2);
        Answer(MessageKind.PreVoteResponse, default);
        Answer(MessageKind.VoteResponse, default);
        if (_group.Role != Role.Leader) throw new InvalidOperationException($"it is {_group.Role}");
        Answer(MessageKind.AppendResponse, _group.LastIndex);
    }

    [Benchmark(OperationsPerInvoke = Turn)]
    public LogIndex Put()
    {
        for (int i = 0; i < Turn; i += Batch)
        {
            for (int j = i; j < i + Batch; j++) _group.Propose(0, 0, 0, 0, _puts[j]);
            Pump();
            Answer(MessageKind.AppendResponse, _group.LastIndex);
        }

        return _group.Applied;
    }

    /// <summary>Replica 2 answers.</summary>
    private void Answer(MessageKind kind, LogIndex index)
    {
        _group.Step(0, new Message { Kind = kind, From = new ReplicaId(2), To = Some.Replica, Term = Some.Term, Index = index });
        Pump();
    }

    /// <summary>A disk and a state machine that take no time.</summary>
    private void Pump()
    {
        for (_group.TakeReady(_ready); !_ready.IsEmpty; _group.TakeReady(_ready))
        {
            if (_ready.ApplyLast != LogIndex.Zero) _group.OnApplied(_ready.ApplyLast);
            if (_ready.MustPersist) _group.OnPersisted(0, _ready.Number);
        }
    }
}
