using System.Collections.Immutable;
using System.Text.Json.Serialization;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Failover;

/// <summary>One repetition, as the results file remembers it: a line of JSON each.</summary>
/// <param name="Build">Of raftkv-node, its commit included; etcd's figures are of the same time, so they go with it.</param>
/// <param name="Number">From 1.</param>
/// <param name="StruckAt">When the fault struck, by the wall clock, as nodes' logs have it.</param>
/// <param name="Leader">That was struck.</param>
/// <param name="LeaderAfter">Who led when all were well again.</param>
/// <param name="GapMillis">See <see cref="WriteGap"/>.</param>
/// <param name="GapStartMillis">When it began, from the strike on; below 0 it was before.</param>
/// <param name="QuietGapMillis">The same of the second before the fault: what the machine does by itself.</param>
/// <param name="Acknowledged">Writes, from the fault's beginning to the end of the watch.</param>
/// <param name="Refused">Writes of that time that were definitely not applied, at no member in time, by reason.</param>
/// <param name="Unknown">Writes of that time that may have been applied, by reason.</param>
/// <param name="Evidence">That the fault bit.</param>
internal sealed record FailoverResult(
    string Build, string Fault, string System, int Shards, bool IsHttp1, int Number, DateTimeOffset StruckAt, string Leader, string LeaderAfter, double GapMillis, double GapStartMillis, double QuietGapMillis, long Acknowledged,
    ImmutableSortedDictionary<string, long> Refused, ImmutableSortedDictionary<string, long> Unknown, ImmutableSortedDictionary<string, double> Evidence)
{
    [JsonIgnore]
    public long Failed => Refused.Values.Sum() + Unknown.Values.Sum();
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FailoverResult))]
internal sealed partial class FailoverJson : JsonSerializerContext;

/// <summary>A repetition that is to be made.</summary>
internal readonly record struct PlannedRepetition(string Fault, int Number, string System);

/// <summary>What is to be measured, and the file of what has been.</summary>
internal static class FailoverPlan
{
    /// <summary>
    /// One fault after the other; of each, a repetition of every system, and then the next: what else the machine does hits all alike. Every other time in the opposite order, so that none always comes first.
    /// </summary>
    public static IEnumerable<PlannedRepetition> Of(IReadOnlyList<string> faults, int repetitions, IReadOnlyList<string> systems) =>
        from fault in faults
        from number in Enumerable.Range(1, repetitions)
        from system in number % 2 == 1 ? systems : systems.Reverse()
        select new PlannedRepetition(fault, number, system);

    /// <summary>What an earlier start has measured of the same build in the same way. A repetition that stands there twice counts once.</summary>
    public static Dictionary<PlannedRepetition, FailoverResult> ReadDone(string file, string build, int shards, bool isHttp1)
    {
        Dictionary<PlannedRepetition, FailoverResult> done = [];
        foreach (FailoverResult result in JsonLines.Read(file, FailoverJson.Default.FailoverResult))
            if (result.Build == build && result.Shards == shards && result.IsHttp1 == isHttp1) done.TryAdd(new PlannedRepetition(result.Fault, result.Number, result.System), result);
        return done;
    }

    public static void Append(string file, FailoverResult result) => JsonLines.Append(file, result, FailoverJson.Default.FailoverResult);
}
