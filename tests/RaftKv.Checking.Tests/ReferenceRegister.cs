namespace RaftKv.Checking.Tests;

/// <summary>One key of the store, executed plainly with every revision known: what the model must describe.</summary>
internal readonly record struct ReferenceRegister(long? Value, ulong LastChange)
{
    public ulong Current => Value is null ? 0 : LastChange;

    public bool Meets(RegisterRequest request) => request.Condition switch
    {
        ConditionKind.IfMatch => Value is not null && LastChange == request.MatchRevision,
        ConditionKind.IfNoneMatch => Value is null,
        _ => true,
    };

    public bool Changes(RegisterRequest request) =>
        Meets(request) && (request.Kind == RequestKind.Put || (request.Kind == RequestKind.Delete && Value is not null));

    /// <summary>Executes a request; a change takes <paramref name="revision"/>. The answer reports everything.</summary>
    public (RegisterOutcome Outcome, ReferenceRegister Next) Execute(RegisterRequest request, ulong revision)
    {
        if (request.Kind == RequestKind.Get) return (Value is { } found ? RegisterOutcome.Found(found, LastChange) : RegisterOutcome.Absent with { Revision = 0 }, this);
        if (!Meets(request)) return (RegisterOutcome.Refused(Current), this);
        if (request.Kind == RequestKind.Put) return (RegisterOutcome.Written(revision, Current), new ReferenceRegister(request.Value, revision));
        if (Value is null) return (RegisterOutcome.NothingDeleted with { Revision = 0, Previous = 0 }, this);
        return (RegisterOutcome.Deleted(revision, Current), new ReferenceRegister(null, revision));
    }
}
