using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace RaftKv.Raft.Tests;

/// <summary>Design §4: the core has no clock, thread, I/O or ambient randomness. The analyzer says so while compiling; this says it of the result.</summary>
public sealed class PurityTests
{
    private static readonly Assembly Core = typeof(RaftGroup).Assembly;

    private static string CoreDirectory
    {
        get
        {
            string tests = typeof(PurityTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "ProjectDirectory").Value!;
            return Path.GetFullPath(Path.Combine(tests, "../../node/RaftKv.Raft"));
        }
    }

    [Fact]
    public void The_core_references_nothing_but_the_runtime()
    {
        string runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        foreach (AssemblyName reference in Core.GetReferencedAssemblies())
            Assert.Equal(runtime, Path.GetDirectoryName(Assembly.Load(reference).Location));
    }

    [Fact]
    public void The_core_has_no_project_reference_and_its_only_package_is_the_analyzer()
    {
        XDocument project = XDocument.Load(Path.Combine(CoreDirectory, "RaftKv.Raft.csproj"));
        Assert.Empty(project.Descendants("ProjectReference"));
        Assert.Equal(["Microsoft.CodeAnalysis.BannedApiAnalyzers"], project.Descendants("PackageReference").Select(package => (string?)package.Attribute("Include")));
        Assert.Contains(project.Descendants("AdditionalFiles"), file => (string?)file.Attribute("Include") == "BannedSymbols.txt");
    }

    [Fact]
    public void Clocks_threads_and_input_and_output_are_banned_and_nowhere_excused()
    {
        string[] banned = [.. File.ReadAllLines(Path.Combine(CoreDirectory, "BannedSymbols.txt")).Select(line => line.Split(';')[0])];
        Assert.Superset(
            new HashSet<string> { "N:System.Threading", "N:System.IO", "N:System.Net", "T:System.Random", "T:System.DateTime", "T:System.TimeProvider", "T:System.Diagnostics.Stopwatch", "T:System.Environment" },
            banned.ToHashSet());
        foreach (string file in Directory.EnumerateFiles(CoreDirectory, "*.cs"))
            Assert.DoesNotContain("RS0030", File.ReadAllText(file));
    }

    // What the compiler itself may have put in is found here too.
    [Fact]
    public void The_compiled_core_uses_no_banned_type()
    {
        string[] banned = [.. File.ReadAllLines(Path.Combine(CoreDirectory, "BannedSymbols.txt")).Select(line => line.Split(';')[0])];
        using PEReader reader = new(File.OpenRead(Core.Location));
        MetadataReader metadata = reader.GetMetadataReader();
        List<string> used = [];
        foreach (TypeReferenceHandle handle in metadata.TypeReferences)
        {
            TypeReference type = metadata.GetTypeReference(handle);
            string space = metadata.GetString(type.Namespace);
            string name = $"{space}.{metadata.GetString(type.Name)}";
            if (banned.Contains($"T:{name}") || banned.Any(ban => ban.StartsWith("N:", StringComparison.Ordinal) && (space == ban[2..] || space.StartsWith(ban[2..] + ".", StringComparison.Ordinal))))
                used.Add(name);
        }

        Assert.Empty(used);
        Assert.True(metadata.TypeReferences.Count > 20);
    }

#if !MUTANTS
    // tests/mutants/README.md: what is delivered has no deliberate faults.
    [Fact]
    public void The_release_build_has_no_mutants() => Assert.Null(Core.GetType("RaftKv.Raft.Mutants"));
#endif
}
