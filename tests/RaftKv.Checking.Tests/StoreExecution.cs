namespace RaftKv.Checking.Tests;

/// <summary>What clients may see of a correct store of several shards, each with its own log and revisions; a function of the seed.</summary>
internal sealed class StoreExecution(int seed)
{
    private const int Keys = 5;
    private const int Shards = 2;
    private readonly Random _random = new(seed);
    private readonly ReferenceRegister[] _registers = new ReferenceRegister[Keys];
    private readonly ulong[] _indexes = new ulong[Shards];
    private readonly ulong[] _revisions = new ulong[Shards];

    /// <summary>Operation i takes effect at time 2 i, somewhere between its call and its return.</summary>
    public Operation[] Run(int operations)
    {
        int width = _random.Next(1, 12);
        double unknown = _random.Next(3) switch { 0 => 0, 1 => 0.1, _ => 0.5 };
        Operation[] history = new Operation[operations];
        for (int i = 0; i < operations; i++) history[i] = Next(i, width, unknown);
        _random.Shuffle(history);
        return history;
    }

    private Operation Next(int i, int width, double unknown)
    {
        int key = _random.Next(Keys);
        int shard = key % Shards;
        long call = 2L * i - _random.Next(width);
        long back = 2L * i + _random.Next(width);
        RegisterRequest request = Request(i + 1, _registers[key].Current);
        bool isUnknown = _random.NextDouble() < unknown;
        if (isUnknown && _random.Next(2) == 0) return new Operation($"k{key}", i, call, Operation.Never, request, RegisterOutcome.Unknown);
        _indexes[shard] += (ulong)_random.Next(3); // Entries of others.
        if (request.Kind == RequestKind.Get)
        {
            RegisterOutcome read = _registers[key].Execute(request, 0).Outcome;
            return new Operation($"k{key}", i, call, back, request, isUnknown ? RegisterOutcome.Unknown : read, Position: Position.OfRead((ulong)shard, _indexes[shard]));
        }

        Position position = Position.OfWrite((ulong)shard, ++_indexes[shard]);
        (RegisterOutcome outcome, ReferenceRegister next) = _registers[key].Execute(request, _revisions[shard] + 1);
        if (next != _registers[key]) _revisions[shard]++;
        _registers[key] = next;
        return new Operation($"k{key}", i, call, isUnknown ? Operation.Never : back, request, isUnknown ? RegisterOutcome.Unknown : outcome, Position: position);
    }

    private RegisterRequest Request(long value, ulong current)
    {
        ulong match = current > 0 && _random.Next(2) == 0 ? current : (ulong)_random.Next(1, 8);
        return _random.Next(8) switch
        {
            0 or 1 => RegisterRequest.Put(value),
            2 => RegisterRequest.PutIfMatch(value, match),
            3 => RegisterRequest.PutIfNoneMatch(value),
            4 => RegisterRequest.Delete,
            5 => RegisterRequest.DeleteIfMatch(match),
            _ => RegisterRequest.Get,
        };
    }
}
