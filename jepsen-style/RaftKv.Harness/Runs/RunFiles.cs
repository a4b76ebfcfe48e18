namespace RaftKv.Harness.Runs;

/// <summary>
/// What lies in a run's directory: history.jsonl, report.json, report.html, and for each node NAME/node.log and NAME/data, which goes when the run was valid.
/// </summary>
internal static class RunFiles
{
    /// <summary>Logs stay.</summary>
    public static void DeleteData(string directory)
    {
        foreach (string node in Directory.EnumerateDirectories(directory))
            if (Path.Combine(node, "data") is var data && Directory.Exists(data)) Directory.Delete(data, recursive: true);
    }
}
