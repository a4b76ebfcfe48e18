using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Shardctl.Tests;

/// <summary>shardctl/README.md says what three new nodes with eight shards answer: every example is tried; every verb, exit code and member of the JSON is in it.</summary>
/// <remarks><c>make golden GOLDEN_SUITES=shardctl.Tests</c> writes what the examples print into the document; read the diff.</remarks>
public sealed partial class ReadmeTests
{
    private const string Document = "shardctl/README.md";
    private const string DataDirectory = ".data/";
    private const int FirstClientPort = 2379;

    [Fact]
    public async Task Every_example_prints_what_the_document_says()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 8);
        await DocumentExamples.CheckAsync(Document, words => RunAsync(cluster, words), Mask);
        foreach (string verb in (string[])["inspect", "verify"])
        {
            using JsonDocument printed = JsonDocument.Parse((await Shardctl.RunAsync(verb, cluster.Nodes[0].Directory, "-o", "json")).Out);
            Assert.Equal(DocumentExamples.ShapeBelow(Document, $"#### `{verb} -o json`"), DocumentExamples.ShapeOf(printed.RootElement));
        }
    }

    [Fact]
    public async Task The_json_of_status_has_the_members_that_are_shown()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 8);
        using JsonDocument printed = JsonDocument.Parse((await Shardctl.RunAsync("status", "-o", "json", "--endpoints", EndpointsOf(cluster))).Out);
        Assert.Equal(DocumentExamples.ShapeBelow(Document, "#### `status -o json`"), DocumentExamples.ShapeOf(printed.RootElement));
    }

    [Fact]
    public void Every_verb_has_its_row()
    {
        string[] rows = [.. DocumentExamples.Read(Document).Split('\n').Where(line => line.StartsWith('|'))];
        string[] verbs = [.. VerbsOf(Program.CreateRoot(new Screen("shardctl", Stream.Null, Stream.Null, Stream.Null)), "")];
        Assert.Contains("shard transfer-leader", verbs);
        Assert.All(verbs, verb => Assert.Contains(rows, row => row.Contains($"`{verb}`", StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_exit_code_has_its_row()
    {
        string document = DocumentExamples.Read(Document);
        int[] codes = [.. typeof(ExitCode).GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic).Where(field => field.IsLiteral).Select(field => (int)field.GetRawConstantValue()!)];
        Assert.Equal(Enumerable.Range(0, 9), codes.Order());
        Assert.All(codes, code => Assert.Contains($"\n| {code.ToString(CultureInfo.InvariantCulture)} | ", document, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_member_of_the_json_is_named()
    {
        string document = DocumentExamples.Read(Document);
        HashSet<string> names = [];
        foreach (CustomAttributeData root in typeof(OutputJson).CustomAttributes.Where(attribute => attribute.AttributeType == typeof(JsonSerializableAttribute)))
            AddMembers((Type)root.ConstructorArguments[0].Value!, names, []);
        Assert.Contains("gcPauseMillis", names);
        Assert.All(names, name => Assert.Matches($"[`\"]{name}[`\"]", document));
    }

    /// <summary>In a shell that shows both outputs, and understands <c>; echo $?</c>.</summary>
    private static async Task<string> RunAsync(TestCluster cluster, string[] words)
    {
        Assert.Equal("bin/shardctl", words[0]);
        bool showsExitCode = words[^1] == "$?";
        string[] arguments = [.. (showsExitCode ? words[1..^2] : words[1..]).Select(word => word.TrimEnd(';'))];
        int directory = Array.FindIndex(arguments, word => word.StartsWith(DataDirectory, StringComparison.Ordinal));
        if (directory < 0) arguments = [.. arguments, "--endpoints", EndpointsOf(cluster)];
        else arguments[directory] = await StoppedAsync(cluster.Nodes.Single(node => node.Name == arguments[directory][DataDirectory.Length..]));

        if (arguments.Contains("stale")) await cluster.WaitLevelAsync();
        Shardctl.Ended ended = await Shardctl.RunAsync(arguments);
        Assert.True(showsExitCode || ended.ExitCode == 0, $"{string.Join(' ', words)} ends with {ended.ExitCode}: {ended.Error}");
        return $"{WithUsualPorts(cluster, ended.Out)}{WithUsualPorts(cluster, ended.Error)}{(showsExitCode ? $"{ended.ExitCode}" : "")}";
    }

    private static string WithUsualPorts(TestCluster cluster, string text)
    {
        for (int i = 0; i < cluster.Nodes.Length; i++)
            text = text.Replace($":{cluster.Nodes[i].ClientPort}", $":{FirstClientPort + 10 * i}", StringComparison.Ordinal).Replace($":{cluster.Nodes[i].PeerPort}", $":{FirstClientPort + 10 * i + 1}", StringComparison.Ordinal);
        return text;
    }

    /// <summary>The directory of a node that does not run any more.</summary>
    private static async Task<string> StoppedAsync(NodeUnderTest node)
    {
        if (!node.IsRunning) return node.Directory;
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        return node.Directory;
    }

    private static string EndpointsOf(TestCluster cluster) => string.Join(',', cluster.Nodes.Select(node => $"127.0.0.1:{node.ClientPort}"));

    /// <summary>Who leads and in which term is for the cluster to say. Of what status, inspect and verify show of this cluster at this moment, the form counts.</summary>
    private static string Mask(string printed)
    {
        string masked = Volatile().Replace(printed, "$1#");
        return TableOfCluster().IsMatch(printed) ? Lag().Replace(Spaces().Replace(Figures().Replace(masked, "#"), " "), " #") : masked;
    }

    private static IEnumerable<string> VerbsOf(Command command, string path)
    {
        foreach (Command child in command.Subcommands)
        {
            if (child.Action is not null) yield return path + child.Name;
            foreach (string verb in VerbsOf(child, $"{path}{child.Name} ")) yield return verb;
        }
    }

    private static void AddMembers(Type type, HashSet<string> names, HashSet<Type> seen)
    {
        if (type.IsGenericType) type = type.GetGenericArguments()[^1];
        if (type.Assembly != typeof(OutputJson).Assembly || type == typeof(JsonObject) || !seen.Add(type)) return;
        foreach (PropertyInfo member in type.GetProperties().Where(member => member.Name != "EqualityContract"))
        {
            names.Add(JsonNamingPolicy.CamelCase.ConvertName(member.Name));
            AddMembers(Nullable.GetUnderlyingType(member.PropertyType) ?? member.PropertyType, names, seen);
        }
    }

    [GeneratedRegex("^(node|shard|log file|log/)( |[0-9])")]
    private static partial Regex TableOfCluster();

    [GeneratedRegex("""("(?:term|index|ageMillis|ttl)": |"(?:node|leader)": "n)[0-9]+""")]
    private static partial Regex Volatile();

    [GeneratedRegex(@"\b[0-9a-f]{16}\b|[0-9.]+[BKMG]?|(?<= )-(?= )")]
    private static partial Regex Figures();

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();

    /// <summary>A follower may hear a moment later what is committed.</summary>
    [GeneratedRegex("( n#:#)+$", RegexOptions.Multiline)]
    private static partial Regex Lag();
}
