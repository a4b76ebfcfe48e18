using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace RaftKv.Harness.Runs;

/// <summary>A file of results, a line of JSON each, by which work that was stopped goes on.</summary>
internal static class JsonLines
{
    /// <summary>All whole lines; none if there is no file. A line that a crash has cut is left out.</summary>
    public static IEnumerable<T> Read<T>(string file, JsonTypeInfo<T> type)
        where T : class
    {
        if (!File.Exists(file)) yield break;
        foreach (string line in File.ReadLines(file))
            if (TryParse(line, type) is { } result) yield return result;
    }

    /// <summary>Adds a line of its own, also behind one that a crash has cut.</summary>
    public static void Append<T>(string file, T result, JsonTypeInfo<T> type)
    {
        using FileStream stream = new(file, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        if (stream.Length > 0)
        {
            stream.Position = stream.Length - 1;
            if (stream.ReadByte() != '\n') stream.WriteByte((byte)'\n');
        }

        JsonSerializer.Serialize(stream, result, type);
        stream.WriteByte((byte)'\n');
    }

    private static T? TryParse<T>(string line, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(line, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
