using System.Text.Json;
using System.Text.Json.Serialization;
using RaftKv.Checking;
using RaftKv.Checking.Histories;

namespace RaftKv.Harness.Histories;

// history.jsonl: a line of JSON each. The names are stable: members may be added, none is renamed or removed.
//
//   {"format":"raftkv-history","version":1,"workload":"register","seed":42}      first; "clocks" says how wrong faults made the nodes' clocks
//   {"process":3,"call":1204,"return":2311,"kind":"put","operations":[{"kind":"put","key":"r1","value":"17"}],"outcome":"ok","results":[…],…}
//   {"calls":123456}                                                             last: without it the file was cut, and proves nothing
//
// Times are microseconds of the run. What has its default value is left out.

/// <summary>The first line of a history file.</summary>
/// <param name="Clocks">Null: they ran right.</param>
internal sealed record HistoryHead(string Format, int Version, string Workload, int Seed, ClockError? Clocks = null)
{
    public const string FormatName = "raftkv-history";
    public const int CurrentVersion = 1;
}

/// <summary>The last line.</summary>
internal sealed record HistoryEnd([property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long Calls);

/// <summary>A history file that is none, or not whole; the message names the line.</summary>
internal sealed class HistoryFileException(string message) : Exception(message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(HistoryHead))]
[JsonSerializable(typeof(ClientCall))]
[JsonSerializable(typeof(HistoryEnd))]
internal sealed partial class HistoryJson : JsonSerializerContext;

/// <summary>Writes a history file. Not thread-safe: its recorder is.</summary>
internal sealed class HistoryWriter : IDisposable
{
    private readonly StreamWriter _file;
    private long _calls;

    public HistoryWriter(string path, string workload, int seed, ClockError? clocks = null)
    {
        _file = new StreamWriter(path) { NewLine = "\n" };
        _file.WriteLine(JsonSerializer.Serialize(new HistoryHead(HistoryHead.FormatName, HistoryHead.CurrentVersion, workload, seed, clocks == ClockError.None ? null : clocks), HistoryJson.Default.HistoryHead));
    }

    public void Write(ClientCall call)
    {
        _calls++;
        _file.WriteLine(JsonSerializer.Serialize(call, HistoryJson.Default.ClientCall));
    }

    /// <summary>No more comes.</summary>
    public void Finish()
    {
        _file.WriteLine(JsonSerializer.Serialize(new HistoryEnd(_calls), HistoryJson.Default.HistoryEnd));
        _file.Flush();
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Reads a history file.</summary>
internal static class HistoryReader
{
    /// <summary>All of it. Throws <see cref="HistoryFileException"/>, and what opening a file throws.</summary>
    public static (HistoryHead Head, List<ClientCall> Calls) Read(string path)
    {
        using StreamReader file = new(path);
        int number = 1;
        HistoryHead head = Parse(file.ReadLine() ?? "", number, HistoryJson.Default.HistoryHead);
        if (head.Format != HistoryHead.FormatName) throw new HistoryFileException("line 1: not the head of a RaftKv history");
        if (head.Version != HistoryHead.CurrentVersion) throw new HistoryFileException($"line 1: version {head.Version}, this program reads version {HistoryHead.CurrentVersion}");
        List<ClientCall> calls = [];
        while (file.ReadLine() is { } line)
        {
            number++;
            if (line.StartsWith("{\"calls\":", StringComparison.Ordinal))
            {
                long told = Parse(line, number, HistoryJson.Default.HistoryEnd).Calls;
                if (told != calls.Count) throw new HistoryFileException($"line {number}: says {told} calls, but {calls.Count} stand before it");
                return (head, calls);
            }

            ClientCall call = Parse(line, number, HistoryJson.Default.ClientCall);
            if (call.Operations.IsDefault) call = call with { Operations = [] };
            if (call.Outcome == RaftKv.Checking.OutcomeKind.Unknown) call = call with { Return = RaftKv.Checking.Operation.Never };
            if (call.Return < call.Call) throw new HistoryFileException($"line {number}: return {call.Return} lies before call {call.Call}");
            calls.Add(call);
        }

        throw new HistoryFileException($"cut after line {number}: the last line, which counts the calls, is missing");
    }

    private static T Parse<T>(string line, int number, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(line, type) ?? throw new HistoryFileException($"line {number}: null");
        }
        catch (JsonException exception)
        {
            throw new HistoryFileException($"line {number}: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }
}
