using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using RaftKv.Shardctl.Offline;

namespace RaftKv.Shardctl;

/// <summary>shardctl: see <see cref="ExitCode"/> for what it ends with.</summary>
internal static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        Screen screen = Screen.OfProcess("shardctl");
        if (ArgumentBytes.FindNotUtf8(arguments) is not { } argument) return RunAsync(arguments, screen);
        screen.Complain($"'{argument}' is not UTF-8. Such a key is named by --key64, such a value comes from standard input.");
        return Task.FromResult(ExitCode.Usage);
    }

    public static async Task<int> RunAsync(string[] arguments, Screen screen)
    {
        RootCommand root = CreateRoot(screen);
        // No response files: a key may begin with @.
        ParseResult result = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (UnknownOptionOf(result) is { } unknown)
        {
            screen.Complain($"Unrecognized option '{unknown}'. A key or value that begins with '-' stands behind '--'. See {PathOf(result.CommandResult.Command)} --help.");
            return ExitCode.Usage;
        }

        if (result.Errors.Count > 0)
        {
            screen.Complain($"{result.Errors[0].Message} See {PathOf(result.CommandResult.Command)} --help.");
            return ExitCode.Usage;
        }

        try
        {
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = screen.Out, Error = screen.Error });
        }
        catch (CommandException exception)
        {
            screen.Complain(exception.Message);
            return exception.ExitCode;
        }
        catch (IOException exception)
        {
            // A full disk under the output, say. Where its reader has gone there is no exception.
            screen.Complain(exception.Message);
            return ExitCode.Error;
        }
    }

    /// <summary>Every verb with its options.</summary>
    internal static RootCommand CreateRoot(Screen screen)
    {
        RootCommand root = new("Reads, writes and looks after a RaftKv cluster.");
        root.Directives.Clear(); // A key may stand in brackets.
        GlobalOptions.AddTo(root);
        root.Subcommands.Add(PlaygroundVerb.Create(screen));
        foreach (Command command in (Command[])[GetVerb.Create(screen), PutVerb.Create(screen), ListVerb.Create(screen), DeleteVerb.Create(screen), StatusVerb.Create(screen), BenchVerb.Create(screen)])
        {
            GlobalOptions.AddTo(command);
            root.Subcommands.Add(command);
        }

        root.Subcommands.Add(DebugVerb.Create(screen));
        root.Subcommands.Add(ShardVerb.Create(screen));
        foreach (Command command in (Command[])[InspectVerb.Create(screen), VerifyVerb.Create(screen)])
        {
            command.Options.Add(GlobalOptions.Output);
            root.Subcommands.Add(command);
        }

        root.SetAction(result =>
        {
            new HelpAction().Invoke(result);
            return ExitCode.Usage;
        });
        return root;
    }

    /// <summary>
    /// What looks like an option, stands before '--', and is neither one that the command knows nor the value of one: the parser would take it for an
    /// argument, and a misspelt option for a key or a value.
    /// </summary>
    private static string? UnknownOptionOf(ParseResult result)
    {
        List<string> values = [];
        for (SymbolResult? command = result.CommandResult; command is not null; command = command.Parent)
            values.AddRange(((CommandResult)command).Children.OfType<OptionResult>().SelectMany(option => option.Tokens).Select(token => token.Value));
        return result.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash)
            .Where(token => token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value.StartsWith('-') && !values.Remove(token.Value))
            .Select(token => token.Value).FirstOrDefault();
    }

    private static string PathOf(Command command) => string.Join(' ', command.Parents.OfType<Command>().Select(PathOf).Append(command.Name));
}
