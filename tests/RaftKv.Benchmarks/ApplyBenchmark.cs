using BenchmarkDotNet.Attributes;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Raft;
using RaftKv.Storage;

namespace RaftKv.Benchmarks;

/// <summary>APPLY: puts to the state machine over RocksDB in the system's temporary directory, one write of the store for each batch. Per put.</summary>
[MemoryDiagnoser]
public class ApplyBenchmark
{
    private const int Turn = 1024;
    private readonly RocksEnvironment _environment = new(64L * 1024 * 1024);
    private string _directory = "";
    private byte[][] _puts = [];
    private KvStateMachine _machine = null!;

    /// <summary>Entries in a batch.</summary>
    [Params(1, 16, 128)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _puts = Some.Puts(Turn, new Random(1));
        _directory = Directory.CreateTempSubdirectory("raftkv-benchmark-").FullName;
        RocksOrderedStore store = RocksOrderedStore.Open(_environment, Path.Combine(_directory, "store"), RocksStoreOptions.Default with { CreateIfMissing = true });
        KvStateMachine.InitialiseStore(store, ShardMeta.AtBirth(ShardMap.Initial(["n1"], 1, 1).Shards[0]), Configuration.OfVoters(new Member(Some.Replica, new NodeId(1))));
        _machine = new KvStateMachine(Some.Group, store, Limits.Default);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _machine.Dispose();
        _environment.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Benchmark(OperationsPerInvoke = Turn)]
    public LogIndex Apply()
    {
        LogIndex last = _machine.Applied;
        for (int i = 0; i < Turn; i += Batch)
        {
            _machine.Begin();
            for (int j = i; j < i + Batch; j++)
            {
                last = last.Next;
                _machine.Apply(Some.Entry(last, _puts[j]), wantsResult: true);
            }

            _machine.Commit();
        }

        return last;
    }
}
