using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;

namespace RaftKv.Node.Storage;

/// <summary>
/// Looks once a second at what is free where the data directory lies, and tells STEP while that is below the floor, and once when it no longer is. Apart from
/// the pumps, for the question may take as long as the disk pleases.
/// </summary>
internal sealed partial class DiskSpaceWatch : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly DriveInfo _disk;
    private readonly Limits _limits;
    private readonly GroupWorker _worker;
    private readonly ILogger _logger;
    private readonly PeriodicTimer _timer = new(LookEvery);
    private readonly Task _looking;
    private volatile DiskSpace _latest = DiskSpace.Plenty;

    /// <summary>Takes the first look before it returns. Throws <see cref="IOException"/>.</summary>
    public DiskSpaceWatch(string directory, Limits limits, GroupWorker worker, ILogger<DiskSpaceWatch> logger)
    {
        _disk = new DriveInfo(directory);
        _limits = limits;
        _worker = worker;
        _logger = logger;
        Look();
        _looking = LookAgainAsync();
    }

    /// <summary>As of the last look.</summary>
    public DiskSpace Latest => _latest;

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _looking;
    }

    private async Task LookAgainAsync()
    {
        while (await _timer.WaitForNextTickAsync())
        {
            try
            {
                Look();
            }
            catch (IOException exception)
            {
                LookFailed(exception.Message); // What was known last still holds; a disk that is gone shows at the next write.
            }
        }
    }

    private void Look()
    {
        DiskSpace last = _latest;
        DiskSpace now = _latest = new(_disk.AvailableFreeSpace, _limits.FreeDiskFloorBytes(_disk.TotalSize));
        if (now.TakesPuts && last.TakesPuts) return;
        _worker.PostCompletion(now);
        if (last.TakesPuts) BelowFloor(now.FreeBytes, now.FloorBytes);
        else if (now.TakesPuts) RoomAgain(now.FreeBytes, now.FloorBytes);
    }

    [LoggerMessage(1, LogLevel.Warning, "{Free} bytes of the data directory's disk are free, less than {Floor}: puts are refused until there is room, deletes go on")]
    private partial void BelowFloor(long free, long floor);

    [LoggerMessage(2, LogLevel.Information, "{Free} bytes of the data directory's disk are free, at least {Floor}: puts are taken again")]
    private partial void RoomAgain(long free, long floor);

    [LoggerMessage(3, LogLevel.Warning, "How much of the data directory's disk is free could not be read: {Reason}")]
    private partial void LookFailed(string reason);
}
