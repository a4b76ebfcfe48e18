using System.Net.Sockets;

namespace RaftKv.Transport;

/// <summary>Socket options of peer connections, the same for both directions: no delay, and a silent other side ends the connection within seconds.</summary>
internal static class SocketTuning
{
    private const int TcpLevel = 6;
    private const int TcpUserTimeout = 18; // linux/tcp.h

    /// <summary>Options that this system does not have are left out; the connection works without them, but dies later.</summary>
    public static void Apply(Socket socket, TransportOptions options)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, Math.Max(1, (int)options.KeepAlive.TotalSeconds));
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
        if (OperatingSystem.IsLinux()) SetUserTimeout(socket, options.UserTimeout);
    }

    public static TimeSpan UserTimeoutOf(Socket socket)
    {
        Span<byte> millis = stackalloc byte[4];
        socket.GetRawSocketOption(TcpLevel, TcpUserTimeout, millis);
        return TimeSpan.FromMilliseconds(BitConverter.ToUInt32(millis));
    }

    private static void SetUserTimeout(Socket socket, TimeSpan timeout)
    {
        Span<byte> millis = stackalloc byte[4];
        BitConverter.TryWriteBytes(millis, (uint)timeout.TotalMilliseconds); // the host's byte order
        socket.SetRawSocketOption(TcpLevel, TcpUserTimeout, millis);
    }
}
