namespace RaftKv.Checking.Tests;

/// <summary>
/// Decides small histories by trying every order that respects real time and every number for every revision that was
/// not reported: no cache, no bounds, no pruning, nothing shared with the checker under test.
/// </summary>
internal sealed class BruteForceChecker
{
    private readonly Operation[] _operations;
    private readonly ulong _largest;

    private BruteForceChecker(IEnumerable<Operation> operations)
    {
        _operations = [.. operations.Where(operation => operation.Outcome.Kind != OutcomeKind.Failed)];
        _largest = (ulong)_operations.Length + _operations.Select(LargestMentioned).DefaultIfEmpty(0UL).Max();
    }

    public static bool IsLinearizable(IEnumerable<Operation> operations)
    {
        BruteForceChecker checker = new(operations);
        return checker.CanPlaceRest(placed: 0, default);
    }

    private bool CanPlaceRest(int placed, ReferenceRegister register)
    {
        if (!Enumerable.Range(0, _operations.Length).Any(i => IsOpen(placed, i) && IsAnswered(i))) return true;
        for (int i = 0; i < _operations.Length; i++)
        {
            if (!IsOpen(placed, i) || !MayBeNext(placed, i)) continue;
            Operation operation = _operations[i];
            (ulong first, ulong last) = Choices(operation, register);
            for (ulong revision = first; revision <= last; revision++)
            {
                (RegisterOutcome answer, ReferenceRegister next) = register.Execute(operation.Request, revision);
                if (Agrees(operation.Outcome, answer) && CanPlaceRest(placed | (1 << i), next)) return true;
            }
        }

        return false;
    }

    /// <summary>The revisions to try for this operation; one arbitrary one if it changes nothing.</summary>
    private (ulong First, ulong Last) Choices(Operation operation, ReferenceRegister register)
    {
        if (!register.Changes(operation.Request)) return (0, 0);
        ulong first = register.LastChange + 1;
        if (operation.Outcome is not { Kind: OutcomeKind.Ok, Revision: { } reported }) return (first, _largest);
        return reported >= first ? (reported, reported) : (1, 0);
    }

    private static bool Agrees(RegisterOutcome reported, RegisterOutcome actual)
    {
        if (reported.Kind == OutcomeKind.Unknown) return true;
        return reported.Kind == actual.Kind
            && reported.Existed == actual.Existed
            && reported.Value == actual.Value
            && (reported.Revision is null || reported.Revision == actual.Revision)
            && (reported.Previous is null || reported.Previous == actual.Previous);
    }

    private bool MayBeNext(int placed, int candidate)
    {
        for (int i = 0; i < _operations.Length; i++)
        {
            if (IsOpen(placed, i) && IsAnswered(i) && _operations[i].Return < _operations[candidate].Call) return false;
        }

        return true;
    }

    private static bool IsOpen(int placed, int i) => (placed & (1 << i)) == 0;

    private bool IsAnswered(int i) => _operations[i].Outcome.Kind != OutcomeKind.Unknown;

    private static ulong LargestMentioned(Operation operation) =>
        Math.Max(operation.Request.MatchRevision, Math.Max(operation.Outcome.Revision ?? 0, operation.Outcome.Previous ?? 0));
}
