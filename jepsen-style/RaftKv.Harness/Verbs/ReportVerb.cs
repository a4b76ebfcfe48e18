using System.CommandLine;
using System.Text.Json;
using RaftKv.Harness.Reports;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style report</c>: makes a run's page again from its report.json, and says where it is.</summary>
internal static class ReportVerb
{
    public static Command Create(Screen screen)
    {
        Argument<string> directory = new("directory") { Description = "Of a run." };
        Command command = new("report", "Write a run's page once more, and say where it is.") { directory };
        command.SetAction(result => Write(screen, result.GetValue(directory)!));
        return command;
    }

    private static int Write(Screen screen, string directory)
    {
        string json = Path.Combine(directory, "report.json");
        try
        {
            string text = File.ReadAllText(json);
            if (JsonSerializer.Deserialize(text, ReportJson.Default.ReportData) is not { } report) throw new CommandException(ExitCode.Usage, $"{json}: null is no report");
            string page = Path.GetFullPath(Path.Combine(directory, "report.html"));
            File.WriteAllText(page, ReportFiles.Page(text));
            screen.Line(report.Sentence);
            screen.Line($"file://{page}");
            return ExitCode.Valid;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException(ExitCode.Usage, $"{json}: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }
}
