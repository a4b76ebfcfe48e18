using BenchmarkDotNet.Attributes;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog;
using RaftKv.RaftLog.Posix;

namespace RaftKv.Benchmarks;

/// <summary>PERSIST: entries to the raft log, one write and one sync for each batch, on the disk of the system's temporary directory. Per entry.</summary>
[MemoryDiagnoser]
public class PersistBenchmark
{
    private const int Turn = 1024;
    private string _directory = "";
    private byte[][] _puts = [];
    private Entry[] _entries = [];
    private SegmentedRaftLog _log = null!;
    private LogIndex _last = Some.Birth;

    /// <summary>Entries in a batch.</summary>
    [Params(1, 16, 128)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _puts = Some.Puts(Turn, new Random(1));
        _entries = new Entry[Batch];
        _directory = Directory.CreateTempSubdirectory("raftkv-benchmark-").FullName;
        _log = SegmentedRaftLog.Open(PosixDisk.OpenDirectory(_directory), new RaftLogOptions(), 1, out _);
        _log.AddCommitPoint(Some.Group, new CommitPoint(Some.Replica, 1, Some.Birth, Some.BirthTerm, Configuration.OfVoters(new Member(Some.Replica, new NodeId(1))), 1, 1), keepsLogBehind: false);
        _log.Commit();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _log.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Benchmark(OperationsPerInvoke = Turn)]
    public LogIndex Append()
    {
        for (int i = 0; i < Turn; i += Batch)
        {
            for (int j = 0; j < Batch; j++)
            {
                _last = _last.Next;
                _entries[j] = Some.Entry(_last, _puts[i + j]);
            }

            _log.AddEntries(Some.Group, Some.Replica, _entries);
            _log.Commit();
        }

        return _last;
    }
}
