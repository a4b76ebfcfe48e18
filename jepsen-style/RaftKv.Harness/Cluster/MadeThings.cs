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
/// mount PATH -             a disk image
/// process PID STARTED      a node. STARTED is its start in clock ticks since boot (proc(5), stat, field 22): a process id alone may be somebody else's by now
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

    public void AddMount(string mountPoint) => Add("mount", $"{mountPoint} -");

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

            foreach (string[] words in lines.Where(words => words[0] == "mount"))
            {
                // Also one that is frozen, and one that a process which was just killed still holds.
                if (Shell.TryAsync("fsfreeze", "-u", words[1]).GetAwaiter().GetResult() is var _ && Shell.TryAsync("umount", "-l", words[1]).GetAwaiter().GetResult().ExitCode == 0) removed.Add($"mount {words[1]}");
            }

            File.Delete(file);
        }

        return removed;
    }

    private void Add(string kind, string what) => File.AppendAllText(_file, $"{kind} {what}\n");

    private static bool IsAlive(string[] words) => int.TryParse(words[1], CultureInfo.InvariantCulture, out int id) && ProcessFacts.StartOf(id) is { } start && start == words[2];

    private static string Identity(int id) => string.Create(CultureInfo.InvariantCulture, $"{id} {ProcessFacts.StartOf(id) ?? "gone"}");
}
