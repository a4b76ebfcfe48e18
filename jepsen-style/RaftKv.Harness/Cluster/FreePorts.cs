using System.Globalization;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// Ports of 127.0.0.1 that nobody listens on, below the range from which the kernel takes those of outgoing connections: a node that starts again must find its own free.
/// Owned by one run; not thread-safe.
/// </summary>
internal sealed class FreePorts
{
    private const int First = 10_000;
    private const int UsualEnd = 32_000;
    private readonly int _end;
    private int _next;

    public FreePorts()
    {
        int outgoing = int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t', ' ')[0], CultureInfo.InvariantCulture);
        _end = outgoing > First + 1_000 ? Math.Min(UsualEnd, outgoing) : UsualEnd;
        _next = Random.Shared.Next(First, _end);
    }

    /// <summary>Each only once.</summary>
    public int Next()
    {
        for (int tried = 0; tried < _end - First; tried++)
        {
            int port = _next++;
            if (_next == _end) _next = First;
            if (LocalPorts.IsFree(port)) return port;
        }

        throw new CommandException(ExitCode.Usage, $"no free port on 127.0.0.1 from {First} to {_end}");
    }
}
