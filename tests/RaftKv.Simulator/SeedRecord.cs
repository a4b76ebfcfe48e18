using System.Globalization;

namespace RaftKv.Simulator;

/// <summary>
/// Which seeds a build has run, so that a run that was stopped goes on where it was: all in [Start, Next), and of them, or of some behind, those that failed.
/// Seeds are reported in any order. Not thread-safe.
/// </summary>
/// <remarks>
/// A small text file, replaced as a whole. What it says is true of a build whoever runs it; two runs at once cost each other no more than seeds run twice.
/// <code>
/// through 1234      the last seed of the prefix
/// failed 17 905     ascending; the line is absent when there is none
/// </code>
/// </remarks>
internal sealed class SeedRecord
{
    private readonly string _path;
    private readonly SortedSet<ulong> _failed = [];
    private readonly HashSet<ulong> _ahead = [];

    private SeedRecord(string path, ulong start)
    {
        _path = path;
        Next = start;
    }

    /// <summary>The first seed that has not been run, or whose run was not seen to end.</summary>
    public ulong Next { get; private set; }

    public IReadOnlySet<ulong> Failed => _failed;

    /// <param name="fresh">Forgets what the file says.</param>
    public static SeedRecord Open(string directory, string build, SimTheme? theme, ulong start, int seconds, bool fresh)
    {
        Directory.CreateDirectory(directory);
        string path = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{build}-{theme?.ToString() ?? "any"}-{start}-{seconds}s.txt"));
        SeedRecord record = new(path, start);
        if (fresh) File.Delete(path);
        else if (File.Exists(path)) record.Read(File.ReadAllLines(path));
        return record;
    }

    public void OnRun(ulong seed, bool hasPassed)
    {
        if (!hasPassed) _failed.Add(seed);
        _ahead.Add(seed);
        bool isLonger = false;
        for (; _ahead.Remove(Next); Next++) isLonger = true;
        if (isLonger || !hasPassed) Write();
    }

    private void Read(string[] lines)
    {
        foreach (string[] words in lines.Select(line => line.Split(' ')))
        {
            IEnumerable<ulong> seeds = words.Skip(1).Select(word => ulong.Parse(word, CultureInfo.InvariantCulture));
            if (words[0] == "through") Next = seeds.Single() + 1;
            else _failed.UnionWith(seeds);
        }
    }

    private void Write()
    {
        string next = $"{_path}.{Environment.ProcessId}";
        string failed = _failed.Count == 0 ? "" : $"failed {string.Join(' ', _failed)}\n";
        File.WriteAllText(next, string.Create(CultureInfo.InvariantCulture, $"through {Next - 1}\n{failed}"));
        File.Move(next, _path, overwrite: true);
    }
}
