using System.CommandLine;
using System.CommandLine.Help;
using System.Text.Json;

namespace RaftKv.Node.Options;

/// <summary>Where an option's value came from, for messages: <c>--tick-ms</c>, <c>RAFTKV_TICK_MS</c>, <c>tick-ms in FILE</c>.</summary>
internal readonly record struct GivenOption(string Text, string Source);

/// <summary>Gathers the options as texts: flag, then variable, then file.</summary>
internal static class OptionSources
{
    /// <summary>
    /// The options given, by name; null when the command line asked for help, which has been shown. Throws <see cref="OptionException"/>.
    /// </summary>
    public static Dictionary<string, GivenOption>? Gather(string[] arguments, Func<string, string?> variable)
    {
        // Not a RootCommand: that would show the file's name, which a user never types.
        Command root = new("raftkv-node", "RaftKv node: a member of a replicated, sharded key-value store.") { new HelpOption(), new VersionOption() };
        Dictionary<OptionName, Option<string>> flags = [];
        foreach (OptionName name in OptionTable.All.Append(OptionTable.ConfigFile))
        {
            Option<string> flag = new(name.Flag) { Description = $"{name.Description} [{name.Variable}]", HelpName = name.ValueName };
            flags.Add(name, flag);
            root.Options.Add(flag);
        }

        bool isRun = false;
        root.SetAction(_ => isRun = true);
        ParseResult result = root.Parse(arguments);
        if (result.Errors.Count > 0) throw new OptionException(result.Errors[0].Message.ReplaceLineEndings(" "));
        result.Invoke(new InvocationConfiguration { ProcessTerminationTimeout = null });
        if (!isRun) return null;

        Dictionary<string, GivenOption> given = [];
        foreach (var (name, flag) in flags)
        {
            if (result.GetValue(flag) is { } text) given[name.Name] = new GivenOption(text, name.Flag);
            else if (variable(name.Variable) is { } value) given[name.Name] = new GivenOption(value, name.Variable);
        }

        if (given.Remove(OptionTable.ConfigFile.Name, out GivenOption file)) AddFile(given, file.Text);
        return given;
    }

    private static void AddFile(Dictionary<string, GivenOption> given, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new OptionException($"--config {path}: not a JSON object");
            foreach (JsonProperty member in document.RootElement.EnumerateObject())
            {
                if (!OptionTable.All.Any(name => name.Name == member.Name)) throw new OptionException($"--config {path}: there is no option '{member.Name}'");
                bool isText = member.Value.ValueKind == JsonValueKind.String;
                if (!isText && member.Value.ValueKind is not (JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False)) throw new OptionException($"--config {path}: '{member.Name}' is neither text nor a number nor true or false");
                given.TryAdd(member.Name, new GivenOption(isText ? member.Value.GetString()! : member.Value.GetRawText(), $"{member.Name} in {path}"));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new OptionException($"--config {path}: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }
}
