namespace RaftKv.Checking.Replay;

/// <summary>
/// One key, as the operations replayed so far leave it, with the writes of which nobody knows whether they took effect.
/// </summary>
/// <remarks>
/// An unknown write may have taken effect anywhere behind its call. The replay lets it happen when an answer cannot be explained otherwise: by its value, if
/// the answer tells that; else it only counts how many must have happened, never more than there are. So it accepts more than one order would,
/// and never convicts a history that has one.
/// </remarks>
internal sealed class KeyReplay
{
    private const int Remembered = 8;
    private const string NotRefused = "then the condition does not hold, and it was not refused";

    private readonly OpenWrites _unknownPuts = new();
    private readonly OpenWrites _unknownDeletes = new();
    private readonly Queue<Operation> _latest = new(Remembered);
    private int _namelessPuts;
    private int _deletesUsed;
    private bool _exists;

    /// <summary>Of the value found or written; null while only its revision is known: an unknown put, which one nobody has said.</summary>
    private long? _value;

    /// <summary>Of the last change, also of a delete.</summary>
    private ulong _revision;

    /// <summary>The last operations, the newest at the end.</summary>
    public IReadOnlyList<Operation> Latest => [.. _latest];

    public void AddUnknown(Operation write)
    {
        if (write.Request.Kind == RequestKind.Put) _unknownPuts.Add(write);
        else _unknownDeletes.Add(write);
    }

    /// <summary>Replays an answered operation. Null if its answer fits; else why not, to follow "the answer says …, but".</summary>
    public string? Replay(Operation operation)
    {
        string? misfit = operation.Request.Kind == RequestKind.Get ? Read(operation) : Write(operation);
        if (misfit is not null) return misfit;
        if (_latest.Count == Remembered) _latest.Dequeue();
        _latest.Enqueue(operation);
        return null;
    }

    private string? Read(Operation get)
    {
        if (!get.Outcome.Existed) return get.Outcome.Revision > 0 ? "an absent key has no revision" : BeAbsent(get);
        ulong revision = get.Outcome.Revision!.Value;
        if (_exists && _revision == revision) return BeValue(get);
        if (revision <= _revision || !TryName(get.Outcome.Value, get)) return Describe();
        (_exists, _value, _revision) = (true, get.Outcome.Value, revision);
        return null;
    }

    private string? Write(Operation write)
    {
        RegisterRequest request = write.Request;
        RegisterOutcome outcome = write.Outcome;
        if (outcome.Kind == OutcomeKind.Refused)
        {
            ulong current = outcome.Revision!.Value;
            if (Meets(request, current)) return "then the condition holds, and it was refused";
            return BeAt(current, write);
        }

        if (request.Kind == RequestKind.Delete && !outcome.Existed)
        {
            if (outcome.Revision > 0 || outcome.Previous > 0) return "what changes nothing has no revision";
            return Meets(request, 0) ? BeAbsent(write) : NotRefused;
        }

        ulong previous = outcome.Previous!.Value;
        if (!Meets(request, previous)) return NotRefused;
        if (request.Kind == RequestKind.Delete && previous == 0) return "then there was nothing to delete";
        if (BeAt(previous, write) is { } misfit) return misfit;
        ulong revision = outcome.Revision!.Value;
        if (revision <= _revision) return $"the key had revision {_revision} already";
        bool isPut = request.Kind == RequestKind.Put;
        (_exists, _value, _revision) = (isPut, isPut ? request.Value : null, revision);
        return null;
    }

    private static bool Meets(RegisterRequest request, ulong current) => request.Condition switch
    {
        ConditionKind.IfMatch => current == request.MatchRevision,
        ConditionKind.IfNoneMatch => current == 0,
        _ => true,
    };

    /// <summary>The key must be at the revision now, 0 for absent; if need be because of unknown writes.</summary>
    private string? BeAt(ulong revision, Operation told)
    {
        if (revision == 0) return BeAbsent(told);
        if (_exists && _revision == revision) return null;
        if (revision <= _revision || _unknownPuts.CountCalledBy(told.LatestEffect) <= _namelessPuts) return Describe();
        _namelessPuts++;
        (_exists, _value, _revision) = (true, null, revision);
        return null;
    }

    private string? BeAbsent(Operation told)
    {
        if (!_exists) return null;
        if (_unknownDeletes.CountCalledBy(told.LatestEffect) <= _deletesUsed) return Describe();
        _deletesUsed++;
        (_exists, _value) = (false, null);
        return null;
    }

    private string? BeValue(Operation get)
    {
        if (_value == get.Outcome.Value) return null;
        if (_value is not null) return Describe();
        _namelessPuts--; // It has a name now.
        if (!TryName(get.Outcome.Value, get)) return Describe();
        _value = get.Outcome.Value;
        return null;
    }

    /// <summary>An unknown put of the value has happened.</summary>
    private bool TryName(long value, Operation get) => _unknownPuts.Count > _namelessPuts && _unknownPuts.TryTake(value, get.LatestEffect);

    private string Describe() => !_exists ? _revision == 0 ? "nothing had been written" : $"the key was absent, its last change at revision {_revision}"
        : _value is { } value ? $"the key was v{value} at revision {_revision}" : $"the key was at revision {_revision}";
}
