using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using RaftKv.Node.Native;
using RaftKv.Node.Options;
using RaftKv.RaftLog.Posix;

namespace RaftKv.Node.Storage;

/// <summary>
/// The node's directory, locked against a second process.
/// <code>
/// DIR/lock        held with flock while the process lives
/// DIR/node.pid    the process id, as text
/// DIR/peers       NAME=HOST:PORT, one per line: where the members were reached last, so that a restart needs no --initial-cluster
/// DIR/peer-disks  which disk each peer was met with: see PeerDisks
/// DIR/log/        the raft log's segments
/// DIR/shards/     &lt;id&gt;/&lt;generation&gt;/, a store each
/// </code>
/// </summary>
internal sealed class DataDirectory : IDisposable
{
    private readonly SafeFileHandle _lock;

    private DataDirectory(string path, SafeFileHandle held)
    {
        Path = path;
        _lock = held;
    }

    public string Path { get; }

    public string Log => System.IO.Path.Combine(Path, "log");

    public string Shards => System.IO.Path.Combine(Path, "shards");

    private string PidFile => System.IO.Path.Combine(Path, "node.pid");

    private string PeersFile => System.IO.Path.Combine(Path, "peers");

    /// <summary>Whether a node has begun to live in <paramref name="path"/>: then it has a raft log.</summary>
    public static bool IsInhabited(string path) => Directory.Exists(System.IO.Path.Combine(path, "log"));

    /// <summary>Makes the directory if need be and locks it. Throws <see cref="OptionException"/> without rights, or if another process has it.</summary>
    public static DataDirectory Open(string path)
    {
        bool isInhabited = IsInhabited(path);
        try
        {
            Directory.CreateDirectory(path);
            SafeFileHandle handle = Lock(path);
            if (!isInhabited) PosixDisk.SyncDirectory(System.IO.Path.GetDirectoryName(path)!);
            return new DataDirectory(path, handle);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new OptionException($"--data-dir {path}: {exception.Message}");
        }
    }

    /// <summary>Makes DIR/log and says who lives here now.</summary>
    public void MoveIn()
    {
        Directory.CreateDirectory(Log);
        File.WriteAllText(PidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        PosixDisk.SyncDirectory(Path);
    }

    public IReadOnlyList<string> ReadPeers() => File.Exists(PeersFile) ? File.ReadAllLines(PeersFile) : [];

    /// <summary>Replaces the file of peers as a whole. A loss of it in a crash costs no more than a flag at the next start.</summary>
    public void WritePeers(IEnumerable<ClusterMember> members)
    {
        string next = PeersFile + ".new";
        File.WriteAllLines(next, members.Select(member => member.ToString()));
        File.Move(next, PeersFile, overwrite: true);
    }

    /// <summary>A clean end: nobody lives here any more.</summary>
    public void MoveOut() => File.Delete(PidFile);

    public void Dispose() => _lock.Dispose();

    private static SafeFileHandle Lock(string path)
    {
        int descriptor = Libc.Open(System.IO.Path.Combine(path, "lock"), Libc.ReadWriteOrCreate, Libc.OwnerReadWriteOthersRead);
        if (descriptor < 0) throw new OptionException($"--data-dir {path}: cannot be written to: {LastError()}");
        SafeFileHandle handle = new(descriptor, ownsHandle: true);
        if (Libc.Lock(handle, Libc.ExclusiveOrFail) == 0) return handle;
        bool isHeld = Marshal.GetLastPInvokeError() == Libc.WouldBlock;
        string error = LastError();
        handle.Dispose();
        throw new OptionException(isHeld ? $"--data-dir {path} is in use by {HolderOf(path)}" : $"--data-dir {path}: cannot be locked: {error}");
    }

    private static string LastError() => Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());

    private static string HolderOf(string path)
    {
        try
        {
            return "process " + File.ReadAllText(System.IO.Path.Combine(path, "node.pid")).Trim();
        }
        catch (IOException)
        {
            return "another process";
        }
    }
}
