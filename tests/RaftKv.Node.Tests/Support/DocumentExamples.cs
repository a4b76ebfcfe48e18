using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace RaftKv.Node.Tests.Support;

/// <summary>
/// The examples of a document. In its blocks of kind <c>console</c> a line that begins with <c>$ </c> is a command, which goes on behind a backslash at the end
/// of a line and up to where a single quote is closed; what stands below it, up to the next command, is what it prints.
/// </summary>
internal static partial class DocumentExamples
{
    private const string Prompt = "$ ";

    /// <summary>
    /// Runs every example, in order, and fails for those that print something else than the document says, once what differs from run to run is masked in both.
    /// <c>GOLDEN_REWRITE=1</c> writes what they print into the document instead.
    /// </summary>
    /// <param name="document">Its path below the repository's root.</param>
    /// <param name="run">From a command's words to what it prints.</param>
    public static async Task CheckAsync(string document, Func<string[], Task<string>> run, Func<string, string> mask)
    {
        Part[] parts = [.. Split(File.ReadAllLines(PathOf(document)))];
        StringBuilder differences = new();
        foreach (Part part in parts.Where(part => part.Command.Count > 0))
        {
            string expected = Joined(part.Lines);
            string printed = Joined((await run(WordsOf(string.Join('\n', part.Command)[Prompt.Length..]))).Split('\n'));
            if (mask(expected) == mask(printed)) continue;
            differences.Append($"\n{Joined(part.Command)}\nprints\n{printed}\nand not\n{expected}\n");
            part.Lines = [.. printed.Length == 0 ? [] : printed.Split('\n')];
        }

        if (Environment.GetEnvironmentVariable("GOLDEN_REWRITE") == "1") File.WriteAllLines(PathOf(document), parts.SelectMany(part => part.Command.Concat(part.Lines)));
        else Assert.True(differences.Length == 0, $"{document}: {differences}");
    }

    /// <summary>The whole document.</summary>
    public static string Read(string document) => File.ReadAllText(PathOf(document));

    /// <summary>The shape of the first block of kind <c>json</c> below the line <paramref name="heading"/>.</summary>
    public static string ShapeBelow(string document, string heading)
    {
        string json = Joined(File.ReadLines(PathOf(document)).SkipWhile(line => line != heading).SkipWhile(line => line != "```json").Skip(1).TakeWhile(line => line != "```"));
        using JsonDocument shown = JsonDocument.Parse(json);
        return ShapeOf(shown.RootElement);
    }

    /// <summary>Members, and whether each is a value, perhaps null, a list or an object; of a list its first item.</summary>
    public static string ShapeOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => $"{{{string.Join(',', element.EnumerateObject().Select(member => $"{member.Name}:{ShapeOf(member.Value)}"))}}}",
        JsonValueKind.Array => element.GetArrayLength() == 0 ? "[]" : $"[{ShapeOf(element[0])}]",
        _ => "value",
    };

    /// <summary>As a shell splits it, as far as the documents need it: quotes, single and double, and continued lines.</summary>
    private static string[] WordsOf(string command) =>
        [.. Word().Matches(command.Replace("\\\n", " ", StringComparison.Ordinal)).Select(word => Quoted().Replace(word.Value, "$1$2"))];

    private static List<Part> Split(string[] lines)
    {
        List<Part> parts = [new Part()];
        bool isConsole = false;
        bool goesOn = false;
        foreach (string line in lines)
        {
            bool isFence = line.StartsWith("```", StringComparison.Ordinal);
            bool isCommand = !isFence && isConsole && (goesOn || line.StartsWith(Prompt, StringComparison.Ordinal));
            if (isFence) isConsole = line == "```console";
            if (isFence || (isCommand && !goesOn)) parts.Add(new Part());
            (isCommand ? parts[^1].Command : parts[^1].Lines).Add(line);
            goesOn = isCommand && (line.EndsWith('\\') || parts[^1].Command.Sum(part => part.Count(c => c == '\'')) % 2 != 0);
        }

        return parts;
    }

    private static string Joined(IEnumerable<string> lines) => string.Join('\n', lines).TrimEnd('\n');

    private static string PathOf(string document)
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "RaftKv.sln"))) directory = directory.Parent;
        return Path.Combine(directory!.FullName, document);
    }

    [GeneratedRegex("""(?:'[^']*'|"[^"]*"|[^\s'"])+""")]
    private static partial Regex Word();

    [GeneratedRegex("""'([^']*)'|"([^"]*)\x22""")]
    private static partial Regex Quoted();

    /// <summary>An example, or what stands between two: then it has no command.</summary>
    private sealed class Part
    {
        public List<string> Command { get; } = [];

        public List<string> Lines { get; set; } = [];
    }
}
