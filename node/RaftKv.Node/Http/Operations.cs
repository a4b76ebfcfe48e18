using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>From operations as clients write them to requests. Every complaint names list, position and member.</summary>
internal static class Operations
{
    /// <summary>What a batch's operations ask for, each as it would be asked for alone. Throws <see cref="ApiException"/>.</summary>
    public static KvRequest[] OfBatch(OperationJson[] operations, Limits limits)
    {
        CheckCount(operations.Length, limits);
        KvRequest[] requests = [.. operations.Select((operation, i) => Read(operation, new Place("operations", i), limits))];
        CheckBytes(requests.Sum(SizeOf), limits);
        return requests;
    }

    /// <summary>Throws <see cref="ApiException"/>.</summary>
    public static KvTxn OfTxn(TxnRequestJson json, Limits limits)
    {
        CompareJson?[] compare = json.Compare ?? [];
        CheckCount(compare.Length + (json.Then?.Length ?? 0) + (json.Else?.Length ?? 0), limits);
        KvTxn txn = new([.. compare.Select((one, i) => Read(one, new Place("compare", i), limits))], ReadBranch(json.Then, "then", limits), ReadBranch(json.Else, "else", limits));
        CheckBytes(txn.Compare.Sum(one => (long)one.Key.Length + one.Value.Length) + txn.Then.Concat(txn.Else).Sum(SizeOf), limits);
        return txn;
    }

    private static ImmutableArray<KvRequest> ReadBranch(OperationJson[]? operations, string name, Limits limits)
    {
        ImmutableArray<KvRequest> branch = [.. (operations ?? []).Select((operation, i) => ReadPlain(operation, new Place(name, i), limits))];
        if (KvTxn.FindWrittenTwice(branch) is { } key) throw new ApiException(ErrorCode.BadArgument, $"{name} writes the key {ApiResponse.Show(key.Span)} twice");
        return branch;
    }

    /// <summary>A transaction's comparisons say what else it depends on.</summary>
    private static KvRequest ReadPlain(OperationJson? json, Place place, Limits limits)
    {
        place.Refuse(json?.Revision is not null, "revision", "part of a transaction");
        place.Refuse(json?.IfRevision is not null || json?.IfAbsent is not null, "condition of its own", "part of a transaction");
        return Read(json, place, limits);
    }

    private static KvCompare Read(CompareJson? json, Place place, Limits limits)
    {
        if (json is null) throw place.Bad("is null");
        byte[] key = ReadKey(json.Key, json.KeyBase64, place, limits);
        KvRelation relation = json.Op switch
        {
            null or "=" => KvRelation.Equal,
            "!=" => KvRelation.NotEqual,
            "<" => KvRelation.Less,
            ">" => KvRelation.Greater,
            _ => throw place.Bad($"op '{json.Op}' is none of =, !=, <, >"),
        };
        bool isOfValue = json.Value is not null || json.ValueBase64 is not null;
        (KvTarget Target, ulong? Operand)[] numbers = [(KvTarget.Revision, json.Revision), (KvTarget.Version, json.Version), (KvTarget.Created, json.Created), (KvTarget.Exists, json.Exists is { } exists ? exists ? 1UL : 0UL : null)];
        (KvTarget Target, ulong? Operand)[] given = [.. numbers.Where(number => number.Operand is not null)];
        if (given.Length + (isOfValue ? 1 : 0) != 1) throw place.Bad("compares exactly one of value, revision, version, created, exists");
        if (isOfValue) return new KvCompare(key, KvTarget.Value, relation, 0, ReadValue(json.Value, json.ValueBase64, place, limits));
        if (given[0].Target == KvTarget.Exists && relation is KvRelation.Less or KvRelation.Greater) throw place.Bad($"compares exists, which knows = and != only");
        return new KvCompare(key, given[0].Target, relation, given[0].Operand!.Value);
    }

    private static long SizeOf(KvRequest request) => request.Key.Length + request.Value.Length;

    private static void CheckCount(int count, Limits limits)
    {
        if (count == 0) throw new ApiException(ErrorCode.BadArgument, "there are no operations");
        if (count > limits.MaxBatchOperations) throw new ApiException(ErrorCode.BatchTooLarge, $"there are {count} operations, the limit is {limits.MaxBatchOperations}", limits.MaxBatchOperations, count);
    }

    private static void CheckBytes(long bytes, Limits limits)
    {
        if (bytes > limits.MaxBatchBytes) throw new ApiException(ErrorCode.BatchTooLarge, $"keys and values have {bytes} bytes together, the limit is {limits.MaxBatchBytes}", limits.MaxBatchBytes, bytes);
    }

    private static KvRequest Read(OperationJson? json, Place place, Limits limits)
    {
        if (json is null) throw place.Bad("is null");
        byte[] key = ReadKey(json.Key, json.KeyBase64, place, limits);
        switch (json.Op)
        {
            case "put":
                place.Refuse(json.Revision is not null, "revision", "put");
                var (condition, revision) = ReadCondition(json, place);
                return new KvRequest(KvOperation.Put, key, ReadValue(json.Value, json.ValueBase64, place, limits), condition, revision, ReadTtlMillis(json.Ttl, place, limits));
            case "delete":
                place.Refuse(json.Value is not null || json.ValueBase64 is not null, "value", "delete");
                place.Refuse(json.Ttl is not null, "ttl", "delete");
                place.Refuse(json.Revision is not null, "revision", "delete");
                place.Refuse(json.IfAbsent is not null, "ifAbsent", "delete");
                (condition, revision) = ReadCondition(json, place);
                return new KvRequest(KvOperation.Delete, key, default, condition, revision);
            case "get":
                place.Refuse(json.Value is not null || json.ValueBase64 is not null, "value", "get");
                place.Refuse(json.Ttl is not null, "ttl", "get");
                place.Refuse(json.IfRevision is not null || json.IfAbsent is not null, "condition", "get");
                return new KvRequest(KvOperation.Get, key, Revision: ReadRevision(json.Revision, "revision", place));
            default:
                throw place.Bad(json.Op is null ? "has no op; it is put, get or delete" : $"op '{json.Op}' is none of put, get, delete");
        }
    }

    private static byte[] ReadKey(string? text, string? base64, Place place, Limits limits)
    {
        byte[] key = ReadBytes(text, base64, "key", place);
        if (key.Length == 0) throw new ApiException(ErrorCode.KeyEmpty, $"{place}: the key is empty");
        if (key.Length > limits.MaxKeyBytes) throw new ApiException(ErrorCode.KeyTooLong, $"{place}: the key has {key.Length} bytes, the limit is {limits.MaxKeyBytes}", limits.MaxKeyBytes, key.Length);
        return key;
    }

    private static byte[] ReadValue(string? text, string? base64, Place place, Limits limits)
    {
        byte[] value = ReadBytes(text, base64, "value", place);
        if (value.Length > limits.MaxValueBytes) throw new ApiException(ErrorCode.ValueTooLarge, $"{place}: the value has {value.Length} bytes, the limit is {limits.MaxValueBytes}", limits.MaxValueBytes, value.Length);
        return value;
    }

    private static byte[] ReadBytes(string? text, string? base64, string name, Place place)
    {
        if (text is null == base64 is null) throw place.Bad(text is null ? $"has neither {name} nor {name}Base64" : $"has both {name} and {name}Base64");
        if (text is not null) return Encoding.UTF8.GetBytes(text);
        if (!Base64.IsValid(base64)) throw new ApiException(ErrorCode.BadKeyEncoding, $"{place}: {name}Base64 is not base64");
        return Convert.FromBase64String(base64!);
    }

    private static (KvCondition Condition, ulong Revision) ReadCondition(OperationJson json, Place place)
    {
        if (json.IfAbsent == true && json.IfRevision is not null) throw new ApiException(ErrorCode.BadCondition, $"{place}: ifAbsent and ifRevision exclude each other");
        if (json.IfAbsent == true) return (KvCondition.Absent, 0);
        return json.IfRevision is null ? default : (KvCondition.RevisionIs, ReadRevision(json.IfRevision, "ifRevision", place));
    }

    private static ulong ReadRevision(ulong? revision, string name, Place place) => revision switch
    {
        null => 0,
        > 0 and <= long.MaxValue => revision.Value,
        _ => throw new ApiException(ErrorCode.BadRevision, $"{place}: {name} {revision} is not a number from 1 to {long.MaxValue}"),
    };

    private static ulong ReadTtlMillis(ulong? seconds, Place place, Limits limits)
    {
        if (seconds is null) return 0;
        if (seconds >= 1 && seconds <= (ulong)limits.MaxTtlSeconds) return seconds.Value * 1000;
        string why = $"{place}: ttl {seconds} is not a whole number of seconds from 1 to {limits.MaxTtlSeconds}";
        throw seconds is 0 or > long.MaxValue ? new ApiException(ErrorCode.BadTtl, why) : new ApiException(ErrorCode.BadTtl, why, limits.MaxTtlSeconds, (long)seconds);
    }

    /// <summary>Where in the document: <c>operations[3]</c>.</summary>
    private readonly record struct Place(string List, int Index)
    {
        public ApiException Bad(string what) => new(ErrorCode.BadArgument, $"{this} {what}");

        public void Refuse(bool isGiven, string member, string operation)
        {
            if (isGiven) throw Bad($"is a {operation}, which has no {member}");
        }

        public override string ToString() => $"{List}[{Index}]";
    }
}
