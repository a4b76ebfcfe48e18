using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// A node's disk: an ext4 file system in a file, mounted through a loop device. What the file holds is what has reached the device; so a copy of it is what a power cut
/// leaves, by the kernel's own rules. Needs root.
/// </summary>
/// <remarks>testing/faults.md, A2. Mounted with commit=300, so that the journal does not sync by itself what nobody asked it to.</remarks>
internal sealed partial class DiskImage
{
    private const string CanaryName = "canary";
    private const int CanaryBytes = 64 * 1024;
    private const uint ShutdownRequest = 0x8004587D; // EXT4_IOC_SHUTDOWN: _IOR('X', 125, u32)
    private const uint NoLogFlush = 2;
    private string _file;
    private int _cuts;

    private DiskImage(string file, string mountPoint) => (_file, MountPoint) = (file, mountPoint);

    public string MountPoint { get; }

    /// <summary>Makes and mounts one. Throws <see cref="ToolFailedException"/>.</summary>
    public static async Task<DiskImage> CreateAsync(string file, string mountPoint, long bytes, MadeThings made)
    {
        Directory.CreateDirectory(mountPoint);
        using (FileStream image = new(file, FileMode.CreateNew)) image.SetLength(bytes);
        await Shell.RunAsync("mkfs.ext4", "-q", "-F", "-m", "0", file);
        DiskImage disk = new(file, mountPoint);
        made.AddMount(mountPoint);
        await disk.MountAsync();
        return disk;
    }

    /// <summary>A file that nobody syncs: a power cut takes it.</summary>
    public void PlantCanary() => File.WriteAllBytes(Path.Combine(MountPoint, CanaryName), new byte[CanaryBytes]);

    /// <summary>How much of the canary is left.</summary>
    public long CanaryLeft() => new FileInfo(Path.Combine(MountPoint, CanaryName)) is { Exists: true } canary ? canary.Length : 0;

    /// <summary>Copies what has reached the device. Whoever writes must stand still.</summary>
    public async Task<string> CopyAsync()
    {
        string copy = string.Create(CultureInfo.InvariantCulture, $"{_file}.cut{++_cuts}");
        await Shell.RunAsync("cp", "--sparse=always", "--reflink=never", _file, copy);
        return copy;
    }

    /// <summary>The copy takes the image's place. Nobody may have a file open.</summary>
    public async Task SwitchToAsync(string copy)
    {
        await UnmountAsync();
        File.Delete(_file);
        _file = copy;
        await MountAsync();
    }

    /// <summary>Unmounts and mounts: what was shut down works again, as it was on the device.</summary>
    public async Task RemountAsync()
    {
        await UnmountAsync();
        await MountAsync();
    }

    /// <summary>Whoever writes or syncs waits until <see cref="ThawAsync"/>.</summary>
    public Task FreezeAsync() => Shell.RunAsync("fsfreeze", "-f", MountPoint);

    public Task ThawAsync() => Shell.RunAsync("fsfreeze", "-u", MountPoint);

    /// <summary>From now on everything fails with EIO, and what was not synced is lost; until it is mounted again.</summary>
    public void Shutdown()
    {
        using SafeFileHandle directory = Open(MountPoint, 0);
        uint how = NoLogFlush;
        if (directory.IsInvalid || IoControl(directory, ShutdownRequest, ref how) != 0) throw new ToolFailedException($"shutting {MountPoint} down: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
    }

    /// <summary>The file system meets an error, and makes itself read-only until it is mounted again, as it does when it no longer trusts its disk.</summary>
    public void Fail()
    {
        string device = File.ReadLines("/proc/mounts").Select(line => line.Split(' ')).Last(fields => fields[1] == MountPoint.Replace(" ", "\\040", StringComparison.Ordinal))[0];
        File.WriteAllText(Path.Combine("/sys/fs/ext4", Path.GetFileName(device), "trigger_fs_error"), "1");
    }

    /// <summary>Whether a new file is refused.</summary>
    public bool IsReadOnly()
    {
        try
        {
            File.WriteAllText(Path.Combine(MountPoint, "probe"), "");
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    public long FreeBytes => new DriveInfo(MountPoint).AvailableFreeSpace;

    /// <summary>Unmounts and deletes it.</summary>
    public async Task DeleteAsync()
    {
        await Shell.TryAsync("fsfreeze", "-u", MountPoint);
        await UnmountAsync();
        File.Delete(_file);
    }

    private Task MountAsync() => Shell.RunAsync("mount", "-o", "loop,commit=300,noatime,errors=remount-ro", _file, MountPoint);

    /// <summary>A process that was just killed may still be closing its files.</summary>
    private async Task UnmountAsync()
    {
        const int Tries = 50;
        for (int tried = 1; ; tried++)
        {
            (int exitCode, string said) = await Shell.TryAsync("umount", MountPoint);
            if (exitCode == 0) return;
            if (tried == Tries) throw new ToolFailedException($"umount {MountPoint}: {said}");
            await Task.Delay(100);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int IoControl(SafeFileHandle file, nuint request, ref uint argument);
}
