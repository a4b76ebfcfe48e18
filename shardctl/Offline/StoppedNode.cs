using Microsoft.Win32.SafeHandles;
using RaftKv.Contracts;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog;
using RaftKv.RaftLog.Posix;
using RaftKv.Shardctl.Native;
using RaftKv.Storage;
using RaftKv.Storage.Native;

namespace RaftKv.Shardctl.Offline;

/// <summary>The data directory of a node that does not run, to be looked at: nothing in it is changed, and no node can start on it meanwhile.</summary>
internal sealed class StoppedNode : IDisposable
{
    private const long BlockCacheBytes = 32L * Limits.Mebi;
    private readonly SafeFileHandle _lock;
    private readonly RocksEnvironment _rocks;

    private StoppedNode(NodeLayout layout, SafeFileHandle held)
    {
        _lock = held;
        Layout = layout;
        Stores = new StoreDirectories(layout.Shards);
        _rocks = new RocksEnvironment(BlockCacheBytes);
    }

    public NodeLayout Layout { get; }

    public StoreDirectories Stores { get; }

    /// <summary>Throws <see cref="CommandException"/>: no node lives there, one runs there, or it may not be read.</summary>
    public static StoppedNode Open(string path)
    {
        NodeLayout layout = new(Path.GetFullPath(path));
        if (!layout.IsInhabited || !File.Exists(layout.Lock)) throw new CommandException(ExitCode.Error, $"{path} is not the data directory of a node: it has no raft log");
        if (!Directory.Exists(layout.Log)) throw new CommandException(ExitCode.Error, $"{layout.Shards} is there, but {layout.Log} is not: the raft log was lost");
        SafeFileHandle? held = null;
        try
        {
            held = FileLock.TryShare(layout.Lock) ?? throw new CommandException(ExitCode.Error, $"{path} is in use by {HolderOf(layout)}; stop that node first");
            return new StoppedNode(layout, held);
        }
        catch (Exception exception)
        {
            held?.Dispose();
            if (exception is IOException or UnauthorizedAccessException or RocksDbUnavailableException) throw new CommandException(ExitCode.Error, exception.Message);
            throw;
        }
    }

    public LogInspection InspectLog() => LogInspection.Run(PosixDisk.OpenReadOnly(Layout.Log));

    /// <summary>
    /// What is wrong when there are stores and no segment; else null. A first start makes a segment before it makes a store, so these are no leftovers of one: the
    /// node refuses to start.
    /// </summary>
    public string? LostLog(LogInspection log)
    {
        int stores = Stores.List().Count;
        return stores == 0 || log.Files.Any(file => file.Kind == LogFileKind.Segment) ? null : $"no segment, but {Short(Layout.Shards)} holds {stores} stores: the raft log was lost";
    }

    /// <summary>Throws <see cref="StoreFailedException"/>.</summary>
    public IOrderedStore OpenStore(GroupId group, ulong generation) => RocksOrderedStore.OpenReadOnly(_rocks, Stores.Of(group, generation));

    /// <summary>Null when the node has met nobody yet.</summary>
    public PeerDisksContent? ReadPeerDisks()
    {
        PosixDisk disk = PosixDisk.OpenReadOnly(Layout.Path);
        if (!disk.List().Contains(PeerDisks.FileName)) return null;
        using IDiskFile file = disk.Open(PeerDisks.FileName);
        return PeerDisks.Read(file);
    }

    /// <summary>As the node wrote them: NAME=HOST:PORT.</summary>
    public string[] ReadPeers() => File.Exists(Layout.Peers) ? File.ReadAllLines(Layout.Peers) : [];

    /// <summary>A path below the data directory, as it is shown.</summary>
    public string Short(string path) => Path.GetRelativePath(Layout.Path, path);

    public string StorePath(GroupId group, ulong generation) => Short(Stores.Of(group, generation));

    public void Dispose()
    {
        _rocks.Dispose();
        _lock.Dispose();
    }

    private static string HolderOf(NodeLayout layout)
    {
        try
        {
            return "process " + File.ReadAllText(layout.Pid).Trim();
        }
        catch (IOException)
        {
            return "another process";
        }
    }
}
