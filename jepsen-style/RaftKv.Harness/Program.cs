using System.CommandLine;
using System.CommandLine.Help;
using RaftKv.Harness.Verbs;

namespace RaftKv.Harness;

/// <summary>jepsen-style: see <see cref="ExitCode"/> for what it ends with.</summary>
internal static class Program
{
    public static Task<int> Main(string[] arguments) => RunAsync(arguments, Screen.OfProcess("jepsen-style"));

    public static async Task<int> RunAsync(string[] arguments, Screen screen)
    {
        RootCommand root = new("Breaks real RaftKv nodes on purpose, and checks every answer. Exit codes: 0 valid, 1 invalid, 2 usage, 3 unknown.");
        foreach (Command command in (Command[])[RunVerb.Create(screen), SuiteVerb.CreateTour(screen), SuiteVerb.CreateMatrix(screen), FailoverVerb.Create(screen), ListVerb.Create(screen), CheckVerb.Create(screen), ReportVerb.Create(screen), CleanVerb.Create(screen)]) root.Subcommands.Add(command);
        root.SetAction(result =>
        {
            new HelpAction().Invoke(result);
            return ExitCode.Usage;
        });

        ParseResult parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            screen.Complain($"{parsed.Errors[0].Message} See jepsen-style {(parsed.CommandResult.Command == root ? "" : $"{parsed.CommandResult.Command.Name} ")}--help.");
            return ExitCode.Usage;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = screen.Out, Error = screen.Error });
        }
        catch (CommandException exception)
        {
            screen.Complain(exception.Message);
            return exception.ExitCode;
        }
    }
}
