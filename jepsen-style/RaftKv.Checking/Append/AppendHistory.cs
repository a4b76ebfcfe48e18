using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Append;

/// <summary>What a transaction read of a list, or wrote to it.</summary>
internal readonly record struct ListStep(int Key, int Version, bool IsAppend);

/// <summary>Whether a transaction happened.</summary>
internal enum Commitment : byte
{
    /// <summary>It was told that nothing happened.</summary>
    Aborted,

    /// <summary>Nobody knows. It is taken for committed once something that it appended is seen.</summary>
    Open,
    Committed,
}

/// <summary>
/// A history as transactions over lists: numbers for keys and for the texts that stood in them, and for every transaction its steps. Arrays throughout: there are
/// millions of steps. Invariant: the steps of transaction t are [FirstStep[t], FirstStep[t + 1]).
/// </summary>
/// <remarks>Hot: no allocation per step, but for a text seen for the first time.</remarks>
internal sealed class AppendHistory
{
    private readonly string _prefix;
    private readonly Dictionary<string, int> _keyNumbers = new(StringComparer.Ordinal);
    private readonly List<Dictionary<string, int>> _versionNumbers = [];
    private readonly List<Dictionary<long, int>> _writers = [];
    private readonly List<Dictionary<long, int>> _aborted = [];
    private readonly List<ListStep> _steps = [];
    private readonly List<int> _firstStep = [];
    private readonly List<ListVersion> _versions = [];

    public AppendHistory(IReadOnlyList<ClientCall> history, string prefix)
    {
        _prefix = prefix;
        foreach (LogicalRequest request in LogicalRequest.Of(history))
            if (request.Kind != CallKind.List) Add(request);
        _firstStep.Add(_steps.Count);
    }

    /// <summary>In the order of their calls.</summary>
    public List<LogicalRequest> Requests { get; } = [];

    public List<Commitment> Commitments { get; } = [];

    public List<string> Keys { get; } = [];

    public IReadOnlyList<ListVersion> Versions => _versions;

    /// <summary>A value that is no list; nothing else is looked at then.</summary>
    public Finding? Garbage { get; private set; }

    public ReadOnlySpan<ListStep> StepsOf(int txn) => CollectionsMarshal.AsSpan(_steps)[_firstStep[txn].._firstStep[txn + 1]];

    /// <summary>Who may have appended the element; -1 if nobody did that may have happened.</summary>
    public int WriterOf(int key, long element) => _writers[key].GetValueOrDefault(element, -1);

    /// <summary>Who was told that it had not been appended; -1 if nobody was.</summary>
    public int AborterOf(int key, long element) => _aborted[key].GetValueOrDefault(element, -1);

    private void Add(LogicalRequest request)
    {
        ClientCall call = request.Answer;
        if (!Concerns(call.Operations) && !Concerns(call.Else)) return;
        if (request.Kind == CallKind.Batch) throw new ArgumentException($"a batch is no transaction, and lists under \"{_prefix}\" are written by these: {CallText.Of(call)}", nameof(request));
        if (call.Freshness == Freshness.Stale) return;
        int txn = Requests.Count;
        Requests.Add(request);
        Commitments.Add(request.Outcome switch
        {
            OutcomeKind.Ok => Commitment.Committed,
            OutcomeKind.Unknown => Commitment.Open,
            _ => Commitment.Aborted,
        });
        _firstStep.Add(_steps.Count);
        bool isElse = request is { Kind: CallKind.Txn, Outcome: OutcomeKind.Ok } && !call.Succeeded;
        ImmutableArray<KvOperation> ran = isElse ? call.Else : call.Operations;
        for (int i = 0; i < ran.Length; i++) AddStep(txn, ran[i], request.Outcome == OutcomeKind.Ok ? call.Results[i] : null);
        foreach (KvOperation operation in isElse ? call.Operations : call.Else)
        {
            if (operation.Kind != RequestKind.Put || !Concerns(operation)) continue;
            if (request.Outcome == OutcomeKind.Unknown) AddStep(txn, operation, null);
            else Abort(txn, operation);
        }
    }

    private void AddStep(int txn, KvOperation operation, KvResult? result)
    {
        if (!Concerns(operation)) return;
        if (operation.Kind == RequestKind.Delete) throw new ArgumentException($"lists under \"{_prefix}\" are never deleted: {CallText.Of(Requests[txn].Answer)}", nameof(operation));
        if (operation.Kind == RequestKind.Get)
        {
            if (result is not null) AddStep(txn, operation.Key, result.Value ?? "", isAppend: false);
        }
        else if (Commitments[txn] == Commitment.Aborted)
        {
            Abort(txn, operation);
        }
        else
        {
            ListVersion written = AddStep(txn, operation.Key, operation.Value!, isAppend: true);
            int key = KeyOf(operation.Key);
            if (_writers[key].TryGetValue(written.Last, out int other) && other != txn)
                throw new ArgumentException($"{written.Last} is appended to \"{operation.Key}\" by two transactions that may both have happened: every attempt needs an element of its own, or one idempotency key", nameof(operation));
            _writers[key][written.Last] = txn;
        }
    }

    private ListVersion AddStep(int txn, string keyText, string text, bool isAppend)
    {
        int key = KeyOf(keyText);
        ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(_versionNumbers[key], text, out bool isKnown);
        if (!isKnown)
        {
            number = _versions.Count;
            if (!ListVersion.TryParse(key, text, out ListVersion version))
                Garbage ??= new Finding(AppendChecker.Name, $"{CallText.Quoted(keyText)} holds {CallText.Quoted(text)}, which is no list of numbers", [Requests[txn].Answer]);
            _versions.Add(version);
        }

        _steps.Add(new ListStep(key, number, isAppend));
        return _versions[number];
    }

    private void Abort(int txn, KvOperation put)
    {
        if (ListVersion.TryParse(0, put.Value!, out ListVersion version)) _aborted[KeyOf(put.Key)][version.Last] = txn;
    }

    private int KeyOf(string text)
    {
        if (_keyNumbers.TryGetValue(text, out int key)) return key;
        key = Keys.Count;
        _keyNumbers.Add(text, key);
        Keys.Add(text);
        _versionNumbers.Add(new Dictionary<string, int>(StringComparer.Ordinal));
        _writers.Add([]);
        _aborted.Add([]);
        return key;
    }

    private bool Concerns(ImmutableArray<KvOperation> operations)
    {
        foreach (KvOperation operation in operations)
            if (Concerns(operation)) return true;
        return false;
    }

    private bool Concerns(KvOperation operation) => operation.Key.StartsWith(_prefix, StringComparison.Ordinal);
}

/// <summary>What stood in a list: its elements as text, "" for an absent key.</summary>
/// <param name="Length">In elements.</param>
/// <param name="Last">The last element; 0 of an empty list.</param>
internal readonly record struct ListVersion(int Key, string Text, int Length, long Last)
{
    public static bool TryParse(int key, string text, out ListVersion version)
    {
        int length = text.Length == 0 ? 0 : text.AsSpan().Count(',') + 1;
        long last = 0;
        bool isList = length == 0 || long.TryParse(text.AsSpan(text.LastIndexOf(',') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out last);
        version = new ListVersion(key, isList ? text : "", isList ? length : 0, last);
        return isList;
    }

    /// <summary>What it was before its last element.</summary>
    public ReadOnlySpan<char> Parent => Length <= 1 ? default : Text.AsSpan(0, Text.LastIndexOf(','));

    /// <summary>The other begins with all of this one.</summary>
    public bool IsPrefixOf(in ListVersion other) =>
        Length == 0 || (other.Text.StartsWith(Text, StringComparison.Ordinal) && (other.Text.Length == Text.Length || other.Text[Text.Length] == ','));

    /// <summary>All elements; null if one is no number.</summary>
    public long[]? Elements()
    {
        if (Length == 0) return [];
        long[] elements = new long[Length];
        int next = 0;
        foreach (Range part in Text.AsSpan().Split(','))
            if (!long.TryParse(Text.AsSpan()[part], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out elements[next++])) return null;
        return elements;
    }

    public override string ToString()
    {
        const int Shown = 6;
        if (Length == 0) return "[]";
        string[] elements = Text.Split(',');
        return Length <= Shown ? $"[{string.Join(", ", elements)}]" : $"[… {string.Join(", ", elements[^Shown..])}]";
    }
}
