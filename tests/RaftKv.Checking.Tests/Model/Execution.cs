using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Tests.Model;

/// <summary>Clients that call a model store at once, each with one call open; a function of the seed. An unknown call may take effect late, or never.</summary>
internal sealed class Execution(Random random, ModelStore store, double unknown = 0.05, double failed = 0.03, int microsPerCall = 2_000)
{
    private readonly PriorityQueue<Action, (long Time, int Number)> _events = new();
    private readonly List<ClientCall> _history = [];
    private int _number;
    private int _processes;
    private int _left;
    private long _now;

    /// <summary>Runs clients until so many calls were made, then the last ones, alone and one after the other, until each of these is answered.</summary>
    /// <param name="next">What the client in this slot asks next, knowing the answer to its last call, null if it has none; process and times are not its business.</param>
    public IReadOnlyList<ClientCall> Run(int clients, int calls, Func<int, ClientCall?, ClientCall> next, params ClientCall[] last)
    {
        _left = calls;
        for (int slot = 0; slot < clients; slot++) Start(slot, _processes++, null, next);
        while (_events.TryPeek(out _, out _) && (_left > 0 || _open > 0)) Step();
        foreach (ClientCall call in last)
        {
            _now += 1_000;
            RunAlone(call);
        }

        ClientCall[] history = [.. _history];
        random.Shuffle(history);
        return history;
    }

    private int _open;

    private void Step()
    {
        _events.TryDequeue(out Action? action, out (long Time, int Number) at);
        _now = Math.Max(_now, at.Time);
        action!();
    }

    private void RunAlone(ClientCall call)
    {
        long began = _now;
        long effect = _now + random.Next(microsPerCall);
        // Unknown calls may still come to take effect.
        while (_events.TryPeek(out _, out (long Time, int Number) at) && at.Time <= effect) Step();
        _now = effect;
        ClientCall answer = store.Execute(call, _now);
        _now += random.Next(microsPerCall);
        _history.Add(answer with { Process = _processes++, Call = began, Return = _now });
    }

    private void Start(int slot, int process, ClientCall? last, Func<int, ClientCall?, ClientCall> next)
    {
        long pause = random.Next(microsPerCall);
        After(pause, () =>
        {
            if (_left-- <= 0) return;
            _open++;
            Call(slot, process, next(slot, last) with { Process = process, Call = _now }, next);
        });
    }

    private void Call(int slot, int process, ClientCall call, Func<int, ClientCall?, ClientCall> next)
    {
        double fate = random.NextDouble();
        if (fate < unknown)
        {
            _history.Add(call with { Outcome = OutcomeKind.Unknown, Return = Operation.Never, Error = "outcome-unknown" });
            // In time, late, or never.
            if (random.Next(3) > 0) After(random.Next(3) == 0 ? random.Next(100 * microsPerCall) : random.Next(microsPerCall), () => store.Execute(call, _now));
            After(random.Next(2 * microsPerCall), () => Go(_processes++, null));
        }
        else if (fate < unknown + failed)
        {
            store.Fail(call, _now);
            After(random.Next(microsPerCall), () =>
            {
                ClientCall answer = call with { Outcome = OutcomeKind.Failed, Return = _now, Error = "overloaded" };
                _history.Add(answer);
                Go(process, answer);
            });
        }
        else
        {
            After(random.Next(microsPerCall), () =>
            {
                ClientCall answer = store.Execute(call, _now);
                After(random.Next(microsPerCall), () =>
                {
                    answer = answer with { Return = _now };
                    _history.Add(answer);
                    Go(process, answer);
                });
            });
        }

        void Go(int who, ClientCall? answer)
        {
            _open--;
            Start(slot, who, answer, next);
        }
    }

    private void After(long delay, Action action) => _events.Enqueue(action, (_now + delay, _number++));
}
