using System.Xml.Linq;

namespace RaftKv.Repository.Tests;

/// <summary>Compares the project files with the drawing of the house (design §5): what a project may see is what it may depend on.</summary>
public sealed class ProjectReferenceTests
{
    /// <summary>
    /// The drawing. A project may reference these and what they reference; fewer is fine, for not all is built yet. A
    /// project that is not here is not in the drawing: put it into both, in the change that adds it.
    /// </summary>
    private static readonly Dictionary<string, string[]> Drawing = new(StringComparer.Ordinal)
    {
        ["RaftKv.Raft"] = [],
        ["RaftKv.MultiRaft"] = ["RaftKv.Raft"],
        ["RaftKv.RaftLog"] = ["RaftKv.MultiRaft"],
        ["RaftKv.Storage"] = ["RaftKv.MultiRaft"],
        ["RaftKv.Transport"] = ["RaftKv.MultiRaft"],
        ["RaftKv.Contracts"] = [],
        ["RaftKv.Kv"] = ["RaftKv.MultiRaft", "RaftKv.Contracts"],
        ["RaftKv.Controller"] = ["RaftKv.MultiRaft", "RaftKv.Contracts"],
        ["RaftKv.Client"] = ["RaftKv.Contracts"],
        ["RaftKv.Node"] = ["RaftKv.Raft", "RaftKv.MultiRaft", "RaftKv.RaftLog", "RaftKv.Storage", "RaftKv.Transport", "RaftKv.Contracts", "RaftKv.Kv", "RaftKv.Controller"],
        ["RaftKv.Bench"] = ["RaftKv.Client", "RaftKv.Contracts"],
        ["RaftKv.CommandLine"] = [],
        ["shardctl"] = ["RaftKv.CommandLine", "RaftKv.Client", "RaftKv.Bench", "RaftKv.Contracts", "RaftKv.RaftLog", "RaftKv.Storage", "RaftKv.Kv"],
        ["RaftKv.Checking"] = [],
        ["RaftKv.Harness"] = ["RaftKv.Checking", "RaftKv.CommandLine", "RaftKv.Client", "RaftKv.Bench", "RaftKv.Contracts"],
        ["RaftKv.Benchmarks"] = ["RaftKv.Kv", "RaftKv.RaftLog", "RaftKv.Storage", "RaftKv.Checking"],
        ["RaftKv.Simulator"] = ["RaftKv.RaftLog", "RaftKv.Kv", "RaftKv.Controller", "RaftKv.Client", "RaftKv.Checking"],
    };

    /// <summary>The only ones that may use ASP.NET Core's types; the front in RaftKv.Kv must run in the simulator.</summary>
    private static readonly HashSet<string> MayUseAspNet = ["RaftKv.Transport", "RaftKv.Node"];

    private const string TestsSuffix = ".Tests";

    /// <summary>One project file. <c>References</c> holds the names of the projects it references directly.</summary>
    private sealed record Project(string Name, string Path, string[] References, bool UsesAspNet)
    {
        public bool IsTest => Name.EndsWith(TestsSuffix, StringComparison.Ordinal);
    }

    private static readonly Project[] Projects = [.. Repository.TextFiles.Where(p => p.EndsWith(".csproj", StringComparison.Ordinal)).Select(Load)];

    [Fact]
    public void Every_project_is_in_the_drawing() =>
        Assert.Empty(Projects.Where(p => !p.IsTest && !Drawing.ContainsKey(p.Name)).Select(p => $"{p.Path}: not in the drawing of design §5; add it there and to the table of this test"));

    [Fact]
    public void Every_project_references_only_what_the_drawing_lets_it_see() =>
        Assert.Empty(
            from project in Projects
            where !project.IsTest && Drawing.ContainsKey(project.Name)
            from reference in project.References.Except(Visible(project.Name))
            select $"{project.Path} references {reference}");

    [Fact]
    public void A_test_project_is_named_after_a_project_it_references() =>
        Assert.Empty(
            from project in Projects
            where project.IsTest
            let tested = project.Name[..^TestsSuffix.Length]
            where tested != "RaftKv.Repository" && !project.References.Contains(tested)
            select $"{project.Path} does not reference {tested}");

    [Fact]
    public void Only_transport_and_node_use_AspNet() =>
        Assert.Empty(Projects.Where(p => !p.IsTest && p.UsesAspNet && !MayUseAspNet.Contains(p.Name)).Select(p => p.Path));

    [Fact]
    public void Every_project_is_in_the_solution_which_names_no_other()
    {
        string[] inSolution =
        [
            .. Repository.ReadText("RaftKv.sln").Split('"').Where(part => part.EndsWith(".csproj", StringComparison.Ordinal)).Select(path => path.Replace('\\', '/')).Order(StringComparer.Ordinal),
        ];
        Assert.Equal(Projects.Select(p => p.Path).Order(StringComparer.Ordinal), inSolution);
    }

    [Fact]
    public void The_drawing_has_no_cycle() => Assert.All(Drawing.Keys, name => Assert.DoesNotContain(name, Visible(name)));

    /// <summary>The simulator is deterministic because nothing in it can reach a real disk, socket or process (design §5).</summary>
    [Fact]
    public void The_drawing_keeps_disks_sockets_and_processes_from_the_simulator() =>
        Assert.Empty(Visible("RaftKv.Simulator").Intersect(["RaftKv.Storage", "RaftKv.Transport", "RaftKv.Node"]));

    /// <summary>What a project sees by the drawing: its references and theirs, without itself unless there is a cycle.</summary>
    private static HashSet<string> Visible(string project)
    {
        var visible = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>(Drawing[project]);
        while (open.TryPop(out string? next))
        {
            if (!visible.Add(next)) continue;
            foreach (string reference in Drawing[next]) open.Push(reference);
        }

        return visible;
    }

    private static Project Load(string path)
    {
        XElement root = XDocument.Parse(Repository.ReadText(path)).Root!;
        string[] references = [.. root.Descendants("ProjectReference").Select(r => NameOf((string)r.Attribute("Include")!))];
        bool usesAspNet = (string?)root.Attribute("Sdk") == "Microsoft.NET.Sdk.Web"
            || root.Descendants("FrameworkReference").Any(r => ((string)r.Attribute("Include")!).StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
        return new Project(NameOf(path), path, references, usesAspNet);
    }

    private static string NameOf(string path) => Path.GetFileNameWithoutExtension(path.Replace('\\', '/'));
}
