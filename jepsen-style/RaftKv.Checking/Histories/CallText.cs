using System.Collections.Immutable;
using System.Text;

namespace RaftKv.Checking.Histories;

/// <summary>Calls and their parts in words, for the sentences of findings.</summary>
public static class CallText
{
    private const int MostCharacters = 60;
    private const int MostOperations = 4;

    /// <summary>Who, when, what, and the answer, on one line.</summary>
    public static string Of(ClientCall call)
    {
        string asked = call.Kind switch
        {
            CallKind.List => $"list {Quoted(call.Prefix)}",
            CallKind.Batch or CallKind.Txn => $"{call.Kind.ToString().ToLowerInvariant()} {Of(call.Operations)}",
            _ => Of(call.Operations),
        };
        string times = call.LatestEffect == Operation.Never ? $"from {At(call.Call)}" : $"{At(call.Call)} to {At(call.Return)}";
        return $"p{call.Process} {times}: {asked} → {Answer(call)}";
    }

    /// <summary>A moment of the run.</summary>
    public static string At(long micros) => micros == Operation.Never ? "the end" : $"{micros / 1_000_000.0:F6} s";

    /// <summary>How long something took.</summary>
    public static string For(long micros) => micros < 10_000 ? $"{micros} µs" : $"{micros / 1_000.0:F1} ms";

    public static string Quoted(string? text) => text is null ? "nothing" : text.Length <= MostCharacters ? $"\"{text}\"" : $"\"{text[..MostCharacters]}…\"";

    /// <summary>Each operation on a line of its own.</summary>
    public static string Lines(IEnumerable<ClientCall> calls)
    {
        StringBuilder text = new();
        foreach (ClientCall call in calls) text.Append(Of(call)).Append('\n');
        return text.ToString();
    }

    private static string Of(ImmutableArray<KvOperation> operations)
    {
        string shown = string.Join(", ", operations.Take(MostOperations).Select(operation => operation.Kind switch
        {
            RequestKind.Put => $"put {Quoted(operation.Key)} = {Quoted(operation.Value)}{(operation.TtlSeconds is { } ttl ? $" for {ttl} s" : "")}{Condition(operation)}",
            RequestKind.Delete => $"delete {Quoted(operation.Key)}{Condition(operation)}",
            _ => $"get {Quoted(operation.Key)}",
        }));
        return operations.Length > MostOperations ? $"{shown} and {operations.Length - MostOperations} more" : shown;
    }

    private static string Condition(KvOperation operation) => operation.Condition switch
    {
        ConditionKind.IfMatch => $" if at {operation.MatchRevision}",
        ConditionKind.IfNoneMatch => " if absent",
        _ => "",
    };

    private static string Answer(ClientCall call)
    {
        if (call.Outcome is OutcomeKind.Unknown or OutcomeKind.Failed) return call.Error.Length == 0 ? call.Outcome.ToString().ToLowerInvariant() : $"{call.Outcome.ToString().ToLowerInvariant()} ({call.Error})";
        if (call.Kind == CallKind.List) return $"{call.Results.Length} keys";
        string branch = call.Kind == CallKind.Txn && !call.Succeeded ? "else: " : "";
        string shown = string.Join(", ", call.Results.Take(MostOperations).Select(Of));
        return $"{branch}{shown}{(call.Results.Length > MostOperations ? $" and {call.Results.Length - MostOperations} more" : "")}{(call.IsReplay ? " (replay)" : "")}";
    }

    private static string Of(KvResult result) => result.Outcome switch
    {
        OutcomeKind.Refused => $"refused, at {result.Revision}",
        OutcomeKind.Ok when result.Value is not null => $"{Quoted(result.Value)} at {result.Revision}",
        OutcomeKind.Ok => result.Revision == 0 ? "nothing" : $"at {result.Revision}",
        _ => result.Outcome.ToString().ToLowerInvariant(),
    };
}
