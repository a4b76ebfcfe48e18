using RaftKv.MultiRaft.Ports;

namespace RaftKv.MultiRaft;

/// <summary>
/// A bounded multi-producer queue whose one consumer takes everything that waits at once: what queued while it was busy is
/// handled together. The bound is for new work only; completions always find room, or the stages would wait for each other.
/// </summary>
internal sealed class WorkQueue<T>(int maxItems, long maxBytes)
{
    private readonly Lock _lock = new();
    private List<T> _waiting = [];
    private List<T> _taken = [];
    private long _bytes;

    /// <summary>Called after an item was added to an empty queue; wakes the consumer's thread. Set once, before the first item.</summary>
    public Action OnWork { get; set; } = static () => { };

    public bool IsFull
    {
        get { lock (_lock) return _waiting.Count >= maxItems || _bytes >= maxBytes; }
    }

    public bool HasWork
    {
        get { lock (_lock) return _waiting.Count > 0; }
    }

    public QueueDepth Depth
    {
        get { lock (_lock) return new QueueDepth(_waiting.Count, _bytes); }
    }

    /// <summary>Adds new work unless the queue is full.</summary>
    public bool TryAdd(T item, long bytes)
    {
        lock (_lock)
        {
            if (_waiting.Count >= maxItems || _bytes >= maxBytes) return false;
            Add(item, bytes);
        }

        return true;
    }

    /// <summary>Adds what must not be refused: a completion, or work that was admitted before.</summary>
    public void AddAlways(T item, long bytes = 0)
    {
        lock (_lock) Add(item, bytes);
    }

    /// <summary>Everything that waits, in order. Valid until the next call; for the consumer only.</summary>
    public List<T> TakeAll()
    {
        lock (_lock)
        {
            _taken.Clear();
            (_taken, _waiting) = (_waiting, _taken);
            _bytes = 0;
            return _taken;
        }
    }

    private void Add(T item, long bytes)
    {
        _waiting.Add(item);
        _bytes += bytes;
        if (_waiting.Count == 1) OnWork();
    }
}
