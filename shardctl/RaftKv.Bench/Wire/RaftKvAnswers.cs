using System.Text.Json;
using RaftKv.Client;

namespace RaftKv.Bench.Wire;

/// <summary>From RaftKv's HTTP answer to what became of the request.</summary>
internal static class RaftKvAnswers
{
    /// <param name="body">Of an error: the problem document.</param>
    public static Answer Of(int slot, int status, ReadOnlySpan<byte> body)
    {
        if (status is >= 200 and < 300) return new Answer(slot, AnswerKind.Done);
        (string? code, string? outcome) = ReadProblem(body);
        AnswerKind kind = AttemptClassifier.Classify(status, code, outcome, retryable: null) switch
        {
            AttemptResult.Answered => AnswerKind.Absent,
            AttemptResult.Lost => AnswerKind.Unknown,
            _ => AnswerKind.Refused,
        };
        return new Answer(slot, kind, kind == AnswerKind.Absent ? "" : code ?? $"http-{status}");
    }

    /// <summary>Errors are rare, so this may be slow.</summary>
    private static (string? Code, string? Outcome) ReadProblem(ReadOnlySpan<byte> body)
    {
        try
        {
            Utf8JsonReader reader = new(body);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            return (Text(document.RootElement, "code"), Text(document.RootElement, "outcome"));
        }
        catch (JsonException)
        {
            return (null, null);
        }
    }

    private static string? Text(JsonElement problem, string name) =>
        problem.ValueKind == JsonValueKind.Object && problem.TryGetProperty(name, out JsonElement member) && member.ValueKind == JsonValueKind.String ? member.GetString() : null;
}
