namespace RaftKv.Checking;

/// <summary>
/// The sequential specification of one object, for <see cref="LinearizationSearch{TModel, TState}"/>. Implemented by
/// structs, so that the search is compiled for each model and nothing is boxed. Operations are numbered by the caller;
/// the model owns the table of what number n asked and answered.
/// </summary>
/// <typeparam name="TState">
/// A small value. Two equal states must accept the same continuations, and should be equal whenever they do: the search
/// remembers states by equality, and takes a step that leaves its state equal for an observation.
/// </typeparam>
public interface IModel<TState>
    where TState : unmanaged, IEquatable<TState>
{
    TState Initial { get; }

    /// <summary>
    /// Takes the operation's effect on <paramref name="state"/>. False if its answer is impossible there. An optional
    /// operation (<see cref="Interval.Required"/> is false) that would change nothing also answers false: leaving it out
    /// says the same.
    /// </summary>
    bool TryStep(in TState state, int operation, out TState next);

    /// <summary>
    /// True if an optional operation can take no effect in <paramref name="state"/> nor in any state that can follow.
    /// Always false is right too; but knowing better lets the search see that two configurations cannot differ.
    /// </summary>
    bool IsSpent(in TState state, int operation);

    /// <summary>Equal states hash equally, in every process: the search is deterministic.</summary>
    ulong Hash(in TState state);
}

/// <summary>
/// When an operation can have taken effect: within [Call, Return], ends included. An operation that is not required can
/// also have had no effect at all, and its Return is ignored: it can take effect for ever.
/// </summary>
/// <param name="Twin">
/// For an optional operation, the number of another that no answer can tell from it, called no later; else -1. Where
/// the two could be exchanged the search places the twin first, and so spares itself all permutations of writes that
/// nobody saw. Twins form chains: an operation is the twin of at most one.
/// </param>
public readonly record struct Interval(long Call, long Return, bool Required, int Twin = -1);

public enum Verdict : byte
{
    /// <summary>The budget ended first. Never to be read as a pass.</summary>
    Unknown,
    Linearizable,
    NotLinearizable,
}
