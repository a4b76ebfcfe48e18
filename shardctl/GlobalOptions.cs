using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary>The options that every verb which asks a cluster has. They may stand before or behind the verb.</summary>
/// <remarks>Not recursive ones: playground would show them too, and has no use for them.</remarks>
internal static class GlobalOptions
{
    public const string EndpointsVariable = "SHARDCTL_ENDPOINTS";
    private const string DefaultEndpoints = "127.0.0.1:2379";

    /// <summary>So that it can be made a TimeSpan; far beyond every limit.</summary>
    private const double MaxNumber = 1e9;

    public static readonly Option<string> Endpoints = new("--endpoints")
    {
        Description = $"The nodes to ask; when one does not answer, the next one is. [env: {EndpointsVariable}] [default: {DefaultEndpoints}]",
        HelpName = "HOST:PORT,...",
    };

    public static readonly Option<string> Output = new("--output", "-o")
    {
        Description = "How to show the result. The members of the JSON are stable.",
        HelpName = "table|json",
        DefaultValueFactory = _ => "table",
    };

    public static readonly Option<double> Seconds = new("--timeout")
    {
        Description = "How long to try, in seconds.",
        HelpName = "SECONDS",
        CustomParser = DecimalNumber,
        DefaultValueFactory = _ => 5,
    };

    public static readonly IReadOnlyList<Option> All = [Endpoints, Output, Seconds];

    public static void AddTo(Command command)
    {
        foreach (Option option in All) command.Options.Add(option);
    }

    /// <summary>Throws <see cref="CommandException"/> when one of these was given, for the verb has no use for it.</summary>
    public static void Refuse(ParseResult result, string verb, params IEnumerable<Option> useless)
    {
        foreach (Option option in useless)
            if (result.GetResult(option) is { Implicit: false }) throw new CommandException(ExitCode.Usage, $"{verb} does not know {option.Name}");
    }

    /// <summary>Parses a number, with a complaint that is not about types. Its range is for the verb to check and to name.</summary>
    public static int WholeNumber(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)) argument.AddError($"{((OptionResult)argument.Parent!).Option.Name} {text}: must be a whole number.");
        return number;
    }

    /// <summary>Parses a number of seconds, as <see cref="WholeNumber"/> does.</summary>
    public static double DecimalNumber(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (!double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out double number) || !(Math.Abs(number) <= MaxNumber)) argument.AddError($"{((OptionResult)argument.Parent!).Option.Name} {text}: must be a number of seconds.");
        return number;
    }

    public static bool IsJson(ParseResult result) => result.GetValue(Output) switch
    {
        "json" => true,
        "table" => false,
        var other => throw new CommandException(ExitCode.Usage, $"--output {other}: must be table or json"),
    };

    public static TimeSpan TimeoutOf(ParseResult result)
    {
        double seconds = result.GetValue(Seconds);
        return seconds is >= 0.01 and <= 60 ? TimeSpan.FromSeconds(seconds) : throw new CommandException(ExitCode.Usage, string.Create(CultureInfo.InvariantCulture, $"--timeout {seconds}: must be from 0.01 to 60"));
    }

    public static IReadOnlyList<ClientEndpoint> EndpointsOf(ParseResult result)
    {
        string? flag = result.GetValue(Endpoints);
        string? variable = Environment.GetEnvironmentVariable(EndpointsVariable);
        string list = flag ?? (string.IsNullOrWhiteSpace(variable) ? DefaultEndpoints : variable);
        string source = flag is null ? EndpointsVariable : Endpoints.Name;
        ClientEndpoint[] endpoints = [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Parse)];
        return endpoints.Length > 0 ? endpoints : throw new CommandException(ExitCode.Usage, $"{source}: no endpoint is named");

        ClientEndpoint Parse(string part) =>
            ClientEndpoint.TryParse(part, out ClientEndpoint? endpoint) ? endpoint : throw new CommandException(ExitCode.Usage, $"{source}: '{part}' is not host:port");
    }
}
