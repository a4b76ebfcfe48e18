using System.Reflection;
using System.Text;

namespace RaftKv.Raft.Tests.Scenarios;

/// <summary>
/// Golden files: commands, each followed by ---- and the expected answer. GOLDEN_REWRITE=1 (make golden) writes the
/// actual answers into the source tree; a difference is committed only when it can be explained.
/// </summary>
public sealed class ScenarioTests
{
    private const string Separator = "----";

    public static IEnumerable<TheoryDataRow<string>> Files() =>
        Directory.EnumerateFiles(SourceDirectory, "*.txt").Order(StringComparer.Ordinal).Select(file => new TheoryDataRow<string>(Path.GetFileName(file)));

    private static bool Rewrites => Environment.GetEnvironmentVariable("GOLDEN_REWRITE") == "1";

    private static string SourceDirectory
    {
        get
        {
            if (!Rewrites) return Path.Combine(AppContext.BaseDirectory, "Scenarios");
            AssemblyMetadataAttribute project = typeof(ScenarioTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "ProjectDirectory");
            return Path.Combine(project.Value!, "Scenarios");
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Scenario_answers_as_written(string file)
    {
        string path = Path.Combine(SourceDirectory, file);
        string expected = File.ReadAllText(path);
        string actual = Replay(expected);
        if (Rewrites) File.WriteAllText(path, actual);
        else Assert.Equal(expected, actual);
    }

    /// <summary>The file with the answers replaced by what the commands answer now. Blocks are separated by empty lines.</summary>
    private static string Replay(string text)
    {
        ScenarioRunner runner = new();
        StringBuilder replayed = new();
        foreach (string block in text.ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            if (replayed.Length > 0) replayed.Append('\n');
            List<string> commands = [];
            foreach (string line in block.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeWhile(line => line != Separator))
            {
                replayed.Append(line).Append('\n');
                if (!line.StartsWith('#')) commands.Add(line);
            }

            if (commands.Count == 0) continue;
            replayed.Append(Separator).Append('\n');
            foreach (string command in commands) replayed.Append(runner.Run(command).ReplaceLineEndings("\n"));
        }

        return replayed.ToString();
    }
}
