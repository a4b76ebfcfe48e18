namespace RaftKv.Bench;

/// <summary>What became of the requests that were answered in a span of time. Nothing is left out: every request is in exactly one place.</summary>
/// <remarks>Latencies are of what succeeded. Not thread-safe.</remarks>
public sealed class Tally
{
    public LatencyHistogram Puts { get; } = new();

    /// <summary>Those of absent keys included.</summary>
    public LatencyHistogram Gets { get; } = new();

    /// <summary>Among the gets: of keys that had no value.</summary>
    public long Absent { get; private set; }

    /// <summary>Puts that were definitely not applied, by reason.</summary>
    public SortedDictionary<string, long> Refused { get; } = new(StringComparer.Ordinal);

    /// <summary>Puts of which nobody knows whether they were applied, by reason.</summary>
    public SortedDictionary<string, long> Unknown { get; } = new(StringComparer.Ordinal);

    /// <summary>Gets without an answer, by reason.</summary>
    public SortedDictionary<string, long> FailedGets { get; } = new(StringComparer.Ordinal);

    /// <summary>What succeeded.</summary>
    public long Operations => Puts.Count + Gets.Count;

    public long Failures => Refused.Values.Sum() + Unknown.Values.Sum() + FailedGets.Values.Sum();

    internal void Record(bool isRead, in Answer answer, long micros)
    {
        if (answer.Kind is AnswerKind.Done or AnswerKind.Absent)
        {
            (isRead ? Gets : Puts).Record(micros);
            if (answer.Kind == AnswerKind.Absent) Absent++;
            return;
        }

        SortedDictionary<string, long> failed = isRead ? FailedGets : answer.Kind == AnswerKind.Refused ? Refused : Unknown;
        failed[answer.Reason] = failed.GetValueOrDefault(answer.Reason) + 1;
    }
}
