namespace RaftKv.CommandLine;

/// <summary>Where the raftkv-node program is.</summary>
public static class NodeProgramFile
{
    /// <summary>The environment variable that names it; else it is looked for beside the program that runs.</summary>
    public const string Variable = "RAFTKV_NODE";

    private const int Usage = 2;

    /// <summary>Its absolute path. Throws <see cref="CommandException"/> if there is none.</summary>
    /// <param name="named">The value of <see cref="Variable"/>, null if it is not set.</param>
    public static string Find(string? named)
    {
        if (named is not null) return File.Exists(named) ? Path.GetFullPath(named) : throw new CommandException(Usage, $"{Variable} names {named}, which is no file");
        string own = AppContext.BaseDirectory;
        string[] candidates = ["raftkv-node", "../../../../bin/raftkv-node", $"../../RaftKv.Node/{Path.GetFileName(Path.TrimEndingDirectorySeparator(own))}/RaftKv.Node"];
        return candidates.Select(candidate => Path.GetFullPath(Path.Combine(own, candidate))).FirstOrDefault(File.Exists)
            ?? throw new CommandException(Usage, $"the program raftkv-node is not beside this one; run make build, or name it in {Variable}");
    }
}
