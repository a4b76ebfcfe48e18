using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace RaftKv.Bench.Loop;

/// <summary>What a socket is waited for, or is ready for. The numbers are epoll's.</summary>
[Flags]
internal enum PollEvents
{
    Readable = 0x1,
    Writable = 0x4,

    /// <summary>Never waited for, always told.</summary>
    Error = 0x8,

    /// <summary>Likewise: the peer has gone.</summary>
    HangUp = 0x10,
}

/// <summary>epoll of Linux, level-triggered: which of many sockets are ready. A closed socket leaves it by itself. Not thread-safe.</summary>
/// <remarks>
/// <code>
/// struct epoll_event   0 events u32 | data u64 behind it: at 4 on x86-64, where it is packed, else at 8
/// </code>
/// </remarks>
internal sealed unsafe partial class EventPoll : IDisposable
{
    private const int MaxEvents = 256;
    private const int CloseOnExec = 0x80000;
    private const int Interrupted = 4;
    private static readonly int s_dataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int s_eventBytes = s_dataOffset + 8;

    private readonly int _poll = Check(Create(CloseOnExec));
    private readonly byte[] _events = new byte[MaxEvents * s_eventBytes];

    /// <param name="token">Comes back with its events.</param>
    public void Add(Socket socket, PollEvents events, int token) => Control(1, socket, events, token);

    public void Change(Socket socket, PollEvents events, int token) => Control(3, socket, events, token);

    /// <summary>Waits until some are ready or the time is over, and returns how many: see <see cref="Ready"/>.</summary>
    public int Wait(int timeoutMillis)
    {
        fixed (byte* events = _events)
        {
            int count = WaitFor(_poll, events, MaxEvents, timeoutMillis);
            return count < 0 && Marshal.GetLastPInvokeError() == Interrupted ? 0 : Check(count);
        }
    }

    /// <summary>Of those that the last wait returned, number <paramref name="i"/>.</summary>
    public (PollEvents Events, int Token) Ready(int i)
    {
        ReadOnlySpan<byte> one = _events.AsSpan(i * s_eventBytes, s_eventBytes);
        return ((PollEvents)MemoryMarshal.Read<uint>(one), MemoryMarshal.Read<int>(one[s_dataOffset..]));
    }

    public void Dispose() => _ = Close(_poll);

    private void Control(int operation, Socket socket, PollEvents events, int token)
    {
        Span<byte> one = stackalloc byte[s_eventBytes];
        one.Clear();
        MemoryMarshal.Write(one, (uint)events);
        MemoryMarshal.Write(one[s_dataOffset..], token);
        fixed (byte* pointer = one) Check(Control(_poll, operation, socket.SafeHandle, pointer));
    }

    private static int Check(int result) => result >= 0 ? result : throw new InvalidOperationException($"epoll: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(int poll, int operation, SafeSocketHandle socket, byte* options);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int WaitFor(int poll, byte* events, int maxEvents, int timeoutMillis);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
