using System.Diagnostics;
using System.Net.Sockets;

namespace RaftKv.Node.Tests.Support;

/// <summary>Waits for what another process does, by looking again and again; never for a time to pass.</summary>
internal static class Wait
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    /// <summary>Generous, for machines that are busy: no test waits so long unless it fails.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Fails the test when <paramref name="condition"/> does not come true in time. A refused connection counts as not yet.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> condition, Func<string>? explain = null)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using PeriodicTimer timer = new(LookEvery);
        do
        {
            try
            {
                if (await condition()) return;
            }
            catch (Exception exception) when (exception is HttpRequestException or SocketException or TaskCanceledException or IOException)
            {
                // Not yet.
            }
        }
        while (watch.Elapsed < Limit && await timer.WaitForNextTickAsync());
        Assert.Fail($"waited {Limit.TotalSeconds} s for: {what}{(explain is null ? "" : "\n" + explain())}");
    }
}
