using System.Text.RegularExpressions;

namespace RaftKv.Repository.Tests;

/// <summary>Rules of the house that no compiler checks. Each names its reason; patterns are spelled so that they do not match themselves.</summary>
public sealed class LintTests
{
    /// <summary>Tests wait on events and virtual ticks (style, tests): a sleep is either too short or too long.</summary>
    private const string SleepInTest = @"\bThread\s*\.\s*Sleep\b|\bTask\s*\.\s*Delay\b";

    /// <summary>This runtime reports success when such a sync fails (dotnet-facts, first paragraph). libc's fdatasync it is.</summary>
    private const string SwallowedSync = @"\bFlush" + @"ToDisk\b|\bFlush\s*\(\s*(flushToDisk\s*:\s*)?true\s*\)";

    /// <summary>It vanishes in Release. Invariant.Holds stays (style, 8).</summary>
    private const string VanishingAssert = @"\bDebug\s*\.\s*Assert\b";

    /// <summary>A path of the machine it was written on: it works nowhere else.</summary>
    private const string MachinePath = @"(?<![\w./\\-])/(work|tmp|root|home/\w+)(?![\w.-])";

    [Fact]
    public void Tests_do_not_sleep() => Lint(SleepInTest, path => IsCSharp(path) && Regex.IsMatch(path, @"^tests/[^/]+\.Tests/"));

    [Fact]
    public void Syncs_do_not_go_through_the_runtime() => Lint(SwallowedSync, IsCSharp);

    [Fact]
    public void Assertions_under_node_stay_on_in_release() => Lint(VanishingAssert, path => IsCSharp(path) && path.StartsWith("node/", StringComparison.Ordinal));

    [Fact]
    public void No_file_names_a_path_of_one_machine() => Lint(MachinePath, _ => true, alsoComments: true);

    [Fact]
    public void The_tree_was_found() => Assert.Contains("tests/RaftKv.Repository.Tests/LintTests.cs", Repository.TextFiles);

    [Theory]
    [InlineData(SleepInTest, "Thread" + ".Sleep(1);")]
    [InlineData(SleepInTest, "await Task" + ".Delay(1);")]
    [InlineData(SwallowedSync, "RandomAccess.Flush" + "ToDisk(handle);")]
    [InlineData(SwallowedSync, "stream.Flush(" + "true);")]
    [InlineData(SwallowedSync, "stream.Flush(flushToDisk: " + "true);")]
    [InlineData(VanishingAssert, "Debug" + ".Assert(x);")]
    [InlineData(MachinePath, "cd /" + "work/main")]
    [InlineData(MachinePath, "\"/" + "tmp\"")]
    [InlineData(MachinePath, "\"/" + "tmp/x\"")]
    [InlineData(MachinePath, "DIR=/" + "root/x")]
    [InlineData(MachinePath, "/" + "home/someone/x")]
    public void A_lint_finds_what_it_is_for(string pattern, string line) => Assert.Matches(pattern, line);

    [Theory]
    [InlineData(SleepInTest, "TaskDelayed.Run();")]
    [InlineData(SwallowedSync, "store.Flush();")]
    [InlineData(SwallowedSync, "stream.Flush(false);")]
    [InlineData(MachinePath, "https://example.org/home/page")]
    [InlineData(MachinePath, "a/tmp/b")]
    [InlineData(MachinePath, "$DIR/tmp")]
    [InlineData(MachinePath, "/workspace")]
    [InlineData(MachinePath, "/homepage")]
    [InlineData(MachinePath, "/tmp.log")]
    public void A_lint_leaves_the_rest_alone(string pattern, string line) => Assert.DoesNotMatch(pattern, line);

    private static bool IsCSharp(string path) => path.EndsWith(".cs", StringComparison.Ordinal);

    /// <summary>No line of the chosen files matches. Lines that are comments may name what is forbidden, to say so.</summary>
    private static void Lint(string pattern, Func<string, bool> chosen, bool alsoComments = false)
    {
        var regex = new Regex(pattern, RegexOptions.Compiled | RegexOptions.CultureInvariant);
        var found = new List<string>();
        foreach (string path in Repository.TextFiles.Where(chosen))
        {
            string[] lines = Repository.ReadLines(path);
            for (int i = 0; i < lines.Length; i++)
            {
                bool isComment = IsCSharp(path) && lines[i].TrimStart().StartsWith("//", StringComparison.Ordinal);
                if ((alsoComments || !isComment) && regex.IsMatch(lines[i])) found.Add($"{path}:{i + 1}: {lines[i].Trim()}");
            }
        }

        Assert.Empty(found);
    }
}
