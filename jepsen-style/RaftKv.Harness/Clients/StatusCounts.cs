using System.Collections.Immutable;

namespace RaftKv.Harness.Clients;

/// <summary>Counts the answers of an HTTP/1.1 connection by their status, whatever pieces they come in; what they say does not matter here, if only it has no status line in it.</summary>
/// <remarks>Owned by one connection; not thread-safe, but for <see cref="Total"/>, which others may read.</remarks>
internal sealed class StatusCounts
{
    private const int Digits = 3;
    private readonly Dictionary<int, long> _counts = [];
    private int _matched;
    private int _status;
    private long _total;

    /// <summary>Of all statuses.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <summary>By status.</summary>
    public ImmutableDictionary<int, long> Counts => _counts.ToImmutableDictionary();

    public void Add(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> line = "HTTP/1.1 "u8;
        foreach (byte next in bytes)
        {
            if (_matched < line.Length)
            {
                _matched = next == line[_matched] ? _matched + 1 : next == line[0] ? 1 : 0;
                _status = 0;
                continue;
            }

            _status = (_status * 10) + (next - '0');
            if (++_matched < line.Length + Digits) continue;
            _counts[_status] = _counts.GetValueOrDefault(_status) + 1;
            Volatile.Write(ref _total, _total + 1);
            _matched = 0;
        }
    }
}
