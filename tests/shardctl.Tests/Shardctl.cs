using System.Text;
using RaftKv.Node.Tests.Support;
using RaftKv.Shardctl.Playground;
using Spectre.Console;

namespace RaftKv.Shardctl.Tests;

/// <summary>Runs a command in this process, in a pipe: what it writes and what it ends with.</summary>
internal static class Shardctl
{
    internal sealed record Ended(int ExitCode, string Out, string Error);

    public static Task<Ended> RunAsync(params string[] arguments) => RunAsync("", arguments);

    public static async Task<Ended> RunAsync(string input, string[] arguments)
    {
        using MemoryStream output = new();
        using MemoryStream error = new();
        int exitCode = await Program.RunAsync(arguments, new Screen("shardctl", new MemoryStream(Encoding.UTF8.GetBytes(input)), output, error));
        return new Ended(exitCode, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }

    /// <summary>What it writes on a terminal without colours.</summary>
    public static async Task<string> OnTerminalAsync(int width, params string[] arguments)
    {
        using MemoryStream output = new();
        using StreamWriter drawn = new(output, new UTF8Encoding(false), leaveOpen: true) { AutoFlush = true, NewLine = "\n" };
        IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(drawn) });
        terminal.Profile.Width = width;
        await Program.RunAsync(arguments, new Screen("shardctl", Stream.Null, output, Stream.Null, terminal));
        return Encoding.UTF8.GetString(output.ToArray());
    }

    /// <summary>A --client-port for a playground of three nodes: all its ports are free.</summary>
    public static int PlaygroundPort() => FreePorts.Block(PlaygroundNode.LastPort(3, 0) + 1);

    /// <summary>It said one line on standard error and nothing else.</summary>
    public static void Complained(Ended ended, int exitCode, string text)
    {
        Assert.Equal((exitCode, ""), (ended.ExitCode, ended.Out));
        Assert.StartsWith("shardctl: ", ended.Error, StringComparison.Ordinal);
        Assert.Contains(text, ended.Error, StringComparison.Ordinal);
        Assert.Equal(ended.Error.Length - 1, ended.Error.IndexOf('\n', StringComparison.Ordinal));
    }
}
