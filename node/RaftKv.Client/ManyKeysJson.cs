using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace RaftKv.Client;

/// <summary>Batches and transactions as the server takes them.</summary>
internal static class ManyKeysJson
{
    public static ReadOnlyMemory<byte> Write(IReadOnlyList<Operation> operations)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer);
        json.WriteStartObject();
        WriteOperations(json, "operations", operations);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    public static ReadOnlyMemory<byte> Write(Txn txn)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer);
        json.WriteStartObject();
        json.WriteStartArray("compare");
        foreach (Compare compare in txn.Compare) WriteCompare(json, compare);
        json.WriteEndArray();
        WriteOperations(json, "then", txn.Then);
        WriteOperations(json, "else", txn.Else);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static void WriteCompare(Utf8JsonWriter json, Compare compare)
    {
        json.WriteStartObject();
        WriteBytes(json, "key", compare.Key.Span);
        json.WriteString("op", compare.Relation switch { CompareRelation.Equal => "=", CompareRelation.NotEqual => "!=", CompareRelation.Less => "<", _ => ">" });
        switch (compare.Target)
        {
            case CompareTarget.Value: WriteBytes(json, "value", compare.Value.Span); break;
            case CompareTarget.Revision: json.WriteNumber("revision", compare.Number); break;
            case CompareTarget.Version: json.WriteNumber("version", compare.Number); break;
            case CompareTarget.Created: json.WriteNumber("created", compare.Number); break;
            default: json.WriteBoolean("exists", compare.Number != 0); break;
        }

        json.WriteEndObject();
    }

    private static void WriteOperations(Utf8JsonWriter json, string name, IReadOnlyList<Operation> operations)
    {
        json.WriteStartArray(name);
        foreach (Operation operation in operations)
        {
            json.WriteStartObject();
            json.WriteString("op", operation.Kind switch { OperationKind.Put => "put", OperationKind.Get => "get", _ => "delete" });
            WriteBytes(json, "key", operation.Key.Span);
            if (operation.Kind == OperationKind.Put) WriteBytes(json, "value", operation.Value.Span);
            if (operation.Ttl is { } ttl) json.WriteNumber("ttl", (long)Math.Ceiling(ttl.TotalSeconds));
            if (operation.Revision > 0) json.WriteNumber("revision", operation.Revision);
            if (operation.Condition.IsIfAbsent) json.WriteBoolean("ifAbsent", true);
            if (operation.Condition.Revision > 0) json.WriteNumber("ifRevision", operation.Condition.Revision);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteBytes(Utf8JsonWriter json, string name, ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes)) json.WriteString(name, bytes);
        else json.WriteBase64String(name + "Base64", bytes);
    }
}
