using System.Runtime.InteropServices;

namespace RaftKv.Node.Tests.Support;

/// <summary>Signals for processes that this test program has started.</summary>
internal static partial class Posix
{
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    public static void Signal(int process, int signal) => Assert.Equal(0, SendSignal(process, signal));

    /// <summary>Makes a file whose opening waits until somebody opens its other end.</summary>
    public static void MakePipe(string path) => Assert.Equal(0, MakePipe(path, 0x180)); // 0600

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakePipe(string path, int mode);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
