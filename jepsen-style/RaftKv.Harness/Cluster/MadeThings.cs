using System.Diagnostics;
using System.Globalization;
using RaftKv.CommandLine.Native;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// What a run has made that outlives a crash of ours: written down before it is made, so that <c>jepsen-style clean</c> finds all of it, and touches nothing else.
/// One file a run in <see cref="Folder"/>, deleted when all of it is gone.
/// </summary>
/// <remarks>
/// <code>
/// owner PID STARTED        the harness; while it lives, clean leaves its things alone
/// process PID STARTED      a node. STARTED is its start in clock ticks since boot (proc(5), stat, field 22): a process id alone may be somebody else's by now
/// directory PATH           temporary files
/// </code>
/// Owned by one run; not thread-safe.
/// </remarks>
internal sealed class MadeThings : IDisposable
{
    private readonly string _file;

    private MadeThings(string file) => _file = file;

    public static string Folder { get; } = Path.Combine(Path.GetTempPath(), $"jepsen-style-{Environment.UserName}");

    public static MadeThings Begin(string run)
    {
        Directory.CreateDirectory(Folder);
        MadeThings things = new(Path.Combine(Folder, run + ".made"));
        things.Add("owner", Identity(Environment.ProcessId));
        return things;
    }

    /// <summary>A process is known by its id once it is there: a crash of ours between start and this line leaves it unknown. There is no earlier moment.</summary>
    public void AddProcess(int id) => Add("process", Identity(id));

    /// <summary>Everything is gone.</summary>
    public void Dispose() => File.Delete(_file);

    /// <summary>Ends and removes what dead harnesses have left. Returns a line for each thing removed.</summary>
    public static List<string> Clean()
    {
        List<string> removed = [];
        if (!Directory.Exists(Folder)) return removed;
        foreach (string file in Directory.EnumerateFiles(Folder, "*.made"))
        {
            string[][] lines = [.. File.ReadLines(file).Select(line => line.Split(' ')).Where(words => words.Length == 3)];
            if (lines.Any(words => words[0] == "owner" && IsAlive(words))) continue;
            foreach (string[] words in lines.Where(words => words[0] == "process" && IsAlive(words)))
            {
                int id = int.Parse(words[1], CultureInfo.InvariantCulture);
                Signals.SendKill(id);
                removed.Add($"process {id}");
            }

            File.Delete(file);
        }

        return removed;
    }

    private void Add(string kind, string what) => File.AppendAllText(_file, $"{kind} {what}\n");

    private static bool IsAlive(string[] words) => int.TryParse(words[1], CultureInfo.InvariantCulture, out int id) && StartOf(id) is { } start && start == words[2];

    private static string Identity(int id) => string.Create(CultureInfo.InvariantCulture, $"{id} {StartOf(id) ?? "gone"}");

    private static string? StartOf(int id)
    {
        try
        {
            // The name, field 2, may hold blanks and parentheses; it ends at the last one.
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            string[] rest = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return rest[0] is "Z" or "X" ? null : rest[22 - 3];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
