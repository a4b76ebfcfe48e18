using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace RaftKv.Raft;

/// <summary>
/// Checks that stay on in release builds. An invariant that does not hold means that the state is impossible: the
/// process stops rather than guess (design §3.5).
/// </summary>
public static class Invariant
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Holds([DoesNotReturnIf(false)] bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] InvariantMessage message)
    {
        if (!condition) throw new InvariantViolatedException(message.ToString());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Holds([DoesNotReturnIf(false)] bool condition, [CallerArgumentExpression(nameof(condition))] string? expression = null)
    {
        if (!condition) throw new InvariantViolatedException(expression ?? "?");
    }
}

/// <summary>An impossible state. Never caught except to report it and stop the process.</summary>
public sealed class InvariantViolatedException(string message) : Exception("invariant violated: " + message);

/// <summary>Formats the message of an invariant only when it is violated, so that a check on the hot path costs one branch.</summary>
[InterpolatedStringHandler]
public ref struct InvariantMessage
{
    private DefaultInterpolatedStringHandler _inner;

    public InvariantMessage(int literalLength, int formattedCount, bool condition, out bool isEnabled)
    {
        isEnabled = !condition;
        _inner = condition ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount);
    }

    public void AppendLiteral(string value) => _inner.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => _inner.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string? format) => _inner.AppendFormatted(value, format);

    public override string ToString() => _inner.ToString();
}
