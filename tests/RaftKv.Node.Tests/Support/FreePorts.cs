using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace RaftKv.Node.Tests.Support;

/// <summary>
/// Ports nobody uses, below the range from which the kernel takes those of outgoing connections: a node that starts later, or again,
/// must find its own free. No port is given twice, so everything in a test program that needs one asks here.
/// </summary>
internal static class FreePorts
{
    private const int First = 10_000;
    private const int UsualEnd = 32_000;
    private static readonly int s_end = Math.Min(UsualEnd, FirstOutgoing());
    private static readonly Lock s_lock = new();
    private static int s_next = Random.Shared.Next(First, s_end);

    public static int Next() => Block(1);

    /// <summary>The first of so many ports in a row.</summary>
    public static int Block(int count)
    {
        lock (s_lock)
        {
            for (int tried = 0; tried < s_end - First; tried++)
            {
                if (s_next + count > s_end) s_next = First;
                int first = s_next++;
                if (!Enumerable.Range(first, count).All(IsFree)) continue;
                s_next = first + count;
                return first;
            }
        }

        throw new InvalidOperationException($"no {count} free ports in a row from {First} to {s_end}");
    }

    private static bool IsFree(int port)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FirstOutgoing()
    {
        int first = int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t', ' ')[0], CultureInfo.InvariantCulture);
        // On a machine where that is nearly every port there is no better place than the usual one.
        return first > First + 1000 ? first : UsualEnd;
    }
}
