namespace RaftKv.CommandLine;

/// <summary>What raftkv-node has written, where its output goes to a file.</summary>
public static class NodeLog
{
    private const string Prefix = "raftkv-node: ";

    /// <summary>The last line that is a complaint of the program itself, without its name; null if there is none.</summary>
    /// <param name="from">The log's length before the start in question.</param>
    public static string? LastComplaint(string file, long from)
    {
        using FileStream log = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        log.Position = Math.Min(from, log.Length);
        using StreamReader reader = new(log);
        string? complaint = null;
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith(Prefix, StringComparison.Ordinal)) complaint = line[Prefix.Length..];
        }

        return complaint;
    }

    /// <summary>How long it is; 0 if it is not there yet.</summary>
    public static long LengthOf(string file) => new FileInfo(file) is { Exists: true } log ? log.Length : 0;
}
