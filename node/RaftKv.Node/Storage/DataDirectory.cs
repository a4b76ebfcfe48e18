using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Native;
using RaftKv.Node.Options;
using RaftKv.RaftLog.Posix;

namespace RaftKv.Node.Storage;

/// <summary>The node's directory, locked against a second process. What lies where: <see cref="NodeLayout"/>.</summary>
internal sealed class DataDirectory : IDisposable
{
    private readonly NodeLayout _layout;
    private readonly SafeFileHandle _lock;

    private DataDirectory(string path, SafeFileHandle held)
    {
        _layout = new NodeLayout(path);
        _lock = held;
    }

    public string Path => _layout.Path;

    public string Log => _layout.Log;

    public string Shards => _layout.Shards;

    /// <summary>Whether a node has begun to live in <paramref name="path"/>.</summary>
    public static bool IsInhabited(string path) => new NodeLayout(path).IsInhabited;

    /// <summary>Makes the directory if need be and locks it. Throws <see cref="OptionException"/> without rights, also to make it durable, or if another process has it.</summary>
    public static DataDirectory Open(string path)
    {
        try
        {
            if (!IsInhabited(path)) Make(path);
            return new DataDirectory(path, Lock(path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or DiskFailedException)
        {
            throw new OptionException($"--data-dir {path} cannot be made or used: {exception.Message}");
        }
    }

    /// <summary>Makes DIR/log and says who lives here now.</summary>
    public void MoveIn()
    {
        Directory.CreateDirectory(Log);
        File.WriteAllText(_layout.Pid, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        PosixDisk.SyncDirectory(Path);
    }

    public IReadOnlyList<string> ReadPeers() => File.Exists(_layout.Peers) ? File.ReadAllLines(_layout.Peers) : [];

    /// <summary>Replaces the file of peers as a whole. A loss of it in a crash costs no more than a flag at the next start.</summary>
    public void WritePeers(IEnumerable<ClusterMember> members)
    {
        string next = _layout.Peers + ".new";
        File.WriteAllLines(next, members.Select(member => member.ToString()));
        File.Move(next, _layout.Peers, overwrite: true);
    }

    /// <summary>A clean end: nobody lives here any more.</summary>
    public void MoveOut() => File.Delete(_layout.Pid);

    public void Dispose() => _lock.Dispose();

    /// <summary>Makes the directory and what is missing above it, each level durable before there is anything in it: else a power cut may take the whole node.</summary>
    private static void Make(string path)
    {
        if (System.IO.Path.GetDirectoryName(path) is not { } parent) return;
        bool isMissing = !Directory.Exists(path);
        if (isMissing && !Directory.Exists(parent)) Make(parent);
        if (isMissing) Directory.CreateDirectory(path);
        try
        {
            PosixDisk.SyncDirectory(parent); // Also of one that is there: whoever made it may not have come so far.
        }
        catch (DiskFailedException) when (isMissing)
        {
            Directory.Delete(path); // A later start shall not take it for durable.
            throw;
        }
    }

    private static SafeFileHandle Lock(string path)
    {
        int descriptor = Libc.Open(new NodeLayout(path).Lock, Libc.ReadWriteOrCreate, Libc.OwnerReadWriteOthersRead);
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
            return "process " + File.ReadAllText(new NodeLayout(path).Pid).Trim();
        }
        catch (IOException)
        {
            return "another process";
        }
    }
}
