namespace RaftKv.Raft;

/// <summary>
/// A follower's reads, whose index it asks its leader for. Reads gather until no question is on its way; the next one asks for all of them, under a number of its own, and only
/// the answer to that number says what they may be served from: an earlier question's answer may be older than they are. A question that is not answered is put again under its number.
/// </summary>
/// <remarks>Owned by its RaftGroup. Numbers begin at random, so that no answer to an earlier life of the replica is taken for one.</remarks>
/// <param name="patienceMicros">After so long a question is put again.</param>
/// <param name="giveUpMicros">After so long it is given up: whoever is asked may not know the question.</param>
internal sealed class ForwardedReads(ulong firstNumber, long patienceMicros, long giveUpMicros)
{
    private readonly List<ulong> _waiting = [];
    private readonly List<ulong> _asked = [];
    private ulong _number = firstNumber;
    private long _askedAt;
    private long _firstAskedAt;

    public bool HasAny => _asked.Count > 0 || _waiting.Count > 0;

    public void Add(ulong context) => _waiting.Add(context);

    /// <summary>Whether the leader is to be asked now, and under which number. Reads whose question was put for long enough go to <paramref name="dropped"/>.</summary>
    public bool TryAsk(long now, List<ulong> dropped, out ulong number)
    {
        if (_asked.Count > 0 && now - _firstAskedAt >= giveUpMicros)
        {
            dropped.AddRange(_asked);
            _asked.Clear();
        }

        bool isNew = _asked.Count == 0 && _waiting.Count > 0;
        if (isNew)
        {
            _asked.AddRange(_waiting);
            _waiting.Clear();
            _firstAskedAt = now;
            _number++;
        }

        number = _number;
        if (!isNew && (_asked.Count == 0 || now - _askedAt < patienceMicros)) return false;
        _askedAt = now;
        return true;
    }

    /// <summary>The leader has confirmed that it led after it was asked under the number.</summary>
    public void OnAnswer(ulong number, LogIndex index, Term term, List<ReadGrant> into)
    {
        if (number != _number) return;
        foreach (ulong context in _asked) into.Add(new ReadGrant(context, index, term));
        _asked.Clear();
    }

    /// <summary>Whom it asked leads no more, or is not followed any more.</summary>
    public void TakeAll(List<ulong> into)
    {
        into.AddRange(_asked);
        into.AddRange(_waiting);
        _asked.Clear();
        _waiting.Clear();
    }
}
