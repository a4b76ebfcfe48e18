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
/// mount PATH               a disk image
/// namespace NAME           of the network: a node's
/// link NAME                of the network: a bridge, or our end of a pair that leads into a namespace
/// group PATH               a control group
/// process PID STARTED      a node. STARTED is its start in clock ticks since boot (proc(5), stat, field 22): a process id alone may be somebody else's by now
/// </code>
/// Owned by one run; not thread-safe.
/// </remarks>
internal sealed class MadeThings
{
    private const string Gone = "gone";
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

    public void AddMount(string mountPoint) => Add("mount", mountPoint);

    public void AddNamespace(string name) => Add("namespace", name);

    public void AddLink(string name) => Add("link", name);

    public void AddGroup(string path) => Add("group", path);

    /// <summary>Everything is gone. Until then whatever could not be removed stays known to <see cref="CleanAsync"/>.</summary>
    public void Forget() => File.Delete(_file);

    /// <summary>Ends and removes what dead harnesses have left. Returns a line for each thing removed.</summary>
    public static async Task<List<string>> CleanAsync()
    {
        List<string> removed = [];
        if (!Directory.Exists(Folder)) return removed;
        foreach (string file in Directory.EnumerateFiles(Folder, "*.made"))
        {
            ILookup<string, string> things = File.ReadLines(file).Select(line => line.Split(' ', 2)).Where(words => words.Length == 2).ToLookup(words => words[0], words => words[1]);
            if (things["owner"].Any(IsAlive)) continue;
            foreach (string process in things["process"].Where(IsAlive))
            {
                Signals.SendKill(IdIn(process));
                removed.Add($"process {IdIn(process)}");
            }

            foreach (string mountPoint in things["mount"])
            {
                _ = await Shell.TryAsync("fsfreeze", "-u", mountPoint);
                // Lazily: a process that was just killed may still hold it.
                if ((await Shell.TryAsync("umount", "-l", mountPoint)).ExitCode == 0) removed.Add($"mount {mountPoint}");
            }

            // A namespace whose last process is still ending goes a little later; its links go at once.
            foreach (string link in things["link"])
                if ((await Shell.TryAsync("ip", "link", "delete", link)).ExitCode == 0) removed.Add($"link {link}");
            foreach (string name in things["namespace"])
                if ((await Shell.TryAsync("ip", "netns", "delete", name)).ExitCode == 0) removed.Add($"namespace {name}");
            foreach (string group in things["group"].Distinct().Where(Directory.Exists))
                if (await ControlGroup.TryRemoveAsync(group)) removed.Add($"control group {group}");

            File.Delete(file);
        }

        return removed;
    }

    private void Add(string kind, string what) => File.AppendAllText(_file, $"{kind} {what}\n");

    /// <summary>Whether the process of an identity is there still, and no other under its id.</summary>
    private static bool IsAlive(string identity) => Identity(IdIn(identity)) == identity && !identity.EndsWith(Gone, StringComparison.Ordinal);

    private static int IdIn(string identity) => int.TryParse(identity.Split(' ')[0], CultureInfo.InvariantCulture, out int id) ? id : 0;

    private static string Identity(int id) => string.Create(CultureInfo.InvariantCulture, $"{id} {ProcessFacts.StartOf(id) ?? Gone}");
}
