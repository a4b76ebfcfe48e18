using System.CommandLine;

namespace RaftKv.Shardctl.Offline;

/// <summary><c>shardctl verify DIR</c>: every checksum and invariant of a stopped node's directory. Exit code 1 if something is wrong.</summary>
internal static class VerifyVerb
{
    public static Command Create(Screen screen)
    {
        Argument<string> directory = InspectVerb.Directory();
        Command command = new("verify", "Check every checksum and invariant of a stopped node's data directory, without changing it; exit code 1 if there is a problem.") { directory };
        command.SetAction(result => Run(screen, result, result.GetValue(directory)!));
        return command;
    }

    private static int Run(Screen screen, ParseResult result, string directory)
    {
        bool isJson = GlobalOptions.IsJson(result);
        VerifyOutput output;
        using (StoppedNode node = StoppedNode.Open(directory))
        {
            output = InspectVerb.Reading(() => new DirectoryCheck(node, line => Show(isJson, () => screen.Line(line)))
            {
                OnProblem = problem => Show(isJson, () => screen.Line($"problem: {problem}", "red")),
            }.Run());
        }

        if (isJson) screen.Line(OutputJson.Write(output, OutputJson.OfKey.VerifyOutput));
        if (!output.Ok) throw new CommandException(ExitCode.Error, $"{directory}: {output.Problems.Length} {(output.Problems.Length == 1 ? "problem" : "problems")}");
        CheckedOutput done = output.Checked;
        Show(isJson, () => screen.Line($"all good: {done.Segments} segments, {done.Batches} batches, {done.Records} records, {done.Stores} stores, {done.Rows} rows", "green"));
        return ExitCode.Ok;
    }

    private static void Show(bool isJson, Action show)
    {
        if (!isJson) show();
    }
}
