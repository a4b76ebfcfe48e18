using System.CommandLine;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Histories;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Reports;
using RaftKv.Harness.Workloads;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style check</c>: judges a recorded history again.</summary>
internal static class CheckVerb
{
    public static Command Create(Screen screen)
    {
        Argument<string> file = new("history.jsonl") { Description = "A history file, ours or anyone's; its format is drawn in HistoryFile.cs." };
        Command command = new("check", "Check a recorded history once more.") { file };
        command.SetAction(result => Check(screen, result.GetValue(file)!));
        return command;
    }

    private static int Check(Screen screen, string path)
    {
        HistoryHead head;
        List<ClientCall> calls;
        try
        {
            (head, calls) = HistoryReader.Read(path);
        }
        catch (Exception exception) when (exception is HistoryFileException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{path}: {exception.Message}");
        }

        CheckVerdict[] checks = [.. WorkloadCatalog.Make(new RunPlan(head.Workload).Complete(), head.Clocks).Check(calls)];
        RunText.ShowChecks(screen, checks);
        return checks.Any(check => check.Finding is not null) ? ExitCode.Invalid : checks.Any(check => check.Unknown is not null) ? ExitCode.Unknown : ExitCode.Valid;
    }
}
