using System.CommandLine;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style clean</c>: removes what a harness that died has left behind.</summary>
internal static class CleanVerb
{
    public static Command Create(Screen screen)
    {
        Command command = new("clean", "End and remove what a harness that died has left; what others made, or a harness that lives, is not touched.");
        command.SetAction(async (_, _) =>
        {
            List<string> removed = await MadeThings.CleanAsync();
            foreach (string thing in removed) screen.Line($"removed {thing}");
            if (removed.Count == 0) screen.Line("nothing was left");
            return ExitCode.Valid;
        });
        return command;
    }
}
