using System.Reflection;

namespace RaftKv.Simulator;

/// <summary>Which build this is: what a seed does is a matter of that.</summary>
internal static class BuildIdentity
{
    private const int CommitChars = 12;

    /// <summary>The commit it was built from, shortened; "unknown" where there was no repository.</summary>
    public static string Commit { get; } = ReadCommit();

    /// <summary>The commit, and a hash over our assemblies: a build of changes that are not committed is another one.</summary>
    public static string Name { get; } = $"{Commit}-{Contracts.NodeIdentity.FormatId(HashOfAssemblies())}";

    private static string ReadCommit()
    {
        string version = typeof(BuildIdentity).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        int plus = version.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? "unknown" : version[(plus + 1)..Math.Min(version.Length, plus + 1 + CommitChars)];
    }

    /// <summary>Of their module ids, which a deterministic build makes of what was compiled.</summary>
    private static ulong HashOfAssemblies()
    {
        Assembly own = typeof(BuildIdentity).Assembly;
        HashSet<Assembly> ours = [own];
        Queue<Assembly> wanted = new(ours);
        while (wanted.TryDequeue(out Assembly? one))
        {
            foreach (AssemblyName name in one.GetReferencedAssemblies().Where(name => name.Name!.StartsWith("RaftKv.", StringComparison.Ordinal)))
                if (Assembly.Load(name) is var other && ours.Add(other)) wanted.Enqueue(other);
        }

        return Contracts.XxHash64.Hash([.. ours.OrderBy(one => one.FullName, StringComparer.Ordinal).SelectMany(one => one.ManifestModule.ModuleVersionId.ToByteArray())]);
    }
}
