using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary>What the verbs on one key have in common.</summary>
internal static class KeyArgument
{
    public static Option<ulong> IfRevision(string what) => Revision("--if-revision", $"{what} only if the key's revision is this one.");

    public static Option<ulong> Revision(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "REVISION",
        CustomParser = argument =>
        {
            string text = argument.Tokens[0].Value;
            if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong revision) || revision == 0)
                argument.AddError($"{((OptionResult)argument.Parent!).Option.Name} {text}: must be a revision, a number from 1.");
            return revision;
        },
    };

    /// <summary>A client of the cluster that the options name, which does not wait for a cluster that is not there.</summary>
    public static RaftKvClient Connect(ParseResult result, IReadOnlyList<ClientEndpoint> endpoints) =>
        new(new RaftKvClientOptions { Endpoints = endpoints, Timeout = GlobalOptions.TimeoutOf(result), FailWhenNoneListens = true });
}
