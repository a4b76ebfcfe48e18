namespace RaftKv.Transport;

/// <summary>Lets the same line of the same subject through once in <paramref name="interval"/>.</summary>
/// <remarks>
/// Any thread. Both words may come from the network, so at most <see cref="MaxLines"/> are remembered; while all of them are recent, further
/// lines are held back too.
/// </remarks>
internal sealed class LogLimiter(TimeSpan interval, TimeProvider time)
{
    public const int MaxLines = 256;

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Subject, string Line), long> _logged = [];

    public bool Allows(string subject, string line)
    {
        lock (_gate)
        {
            long now = time.GetTimestamp();
            if (_logged.TryGetValue((subject, line), out long last) && !IsOld(last, now)) return false;
            if (_logged.Count >= MaxLines) ForgetOld(now);
            if (_logged.Count >= MaxLines) return false;
            _logged[(subject, line)] = now;
            return true;
        }
    }

    private bool IsOld(long logged, long now) => time.GetElapsedTime(logged, now) >= interval;

    private void ForgetOld(long now)
    {
        foreach ((string, string) key in _logged.Where(entry => IsOld(entry.Value, now)).Select(entry => entry.Key).ToArray()) _logged.Remove(key);
    }
}
