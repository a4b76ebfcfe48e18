using System.Text.Unicode;

namespace RaftKv.Shardctl;

/// <summary>
/// Finds arguments that are no UTF-8. .NET hands them over with U+FFFD in place of what it could not read, so that different ones become the same
/// key; what was really given stands in <c>/proc/self/cmdline</c>, each argument with a NUL behind it.
/// </summary>
internal static class ArgumentBytes
{
    private const string CommandLine = "/proc/self/cmdline";
    private const char Replacement = '\uFFFD';

    /// <summary>The first one, as .NET shows it; null if all are as they were given.</summary>
    public static string? FindNotUtf8(string[] arguments) =>
        arguments.Any(argument => argument.Contains(Replacement, StringComparison.Ordinal)) && File.Exists(CommandLine) ? FindNotUtf8(arguments, File.ReadAllBytes(CommandLine)) : null;

    /// <param name="commandLine">Ends with the arguments; before them stand the program, and what runs it.</param>
    internal static string? FindNotUtf8(string[] arguments, byte[] commandLine)
    {
        ReadOnlySpan<byte> rest = commandLine;
        for (int i = arguments.Length - 1; i >= 0; i--)
        {
            rest = rest[..^1];
            int begin = rest.LastIndexOf((byte)0) + 1;
            if (!Utf8.IsValid(rest[begin..])) return arguments[i];
            rest = rest[..begin];
        }

        return null;
    }
}
