using System.Diagnostics;
using System.Text.RegularExpressions;

namespace RaftKv.Shardctl.Playground;

/// <summary>The command that starts a node with the raftkv-node program at <paramref name="path"/>.</summary>
internal sealed partial class NodeProgram(string path, PlaygroundSettings settings, IReadOnlyList<PlaygroundNode> nodes)
{
    /// <summary>Starts a node; its output goes to its log, which is appended to.</summary>
    public Process Start(PlaygroundNode node)
    {
        Directory.CreateDirectory(node.Directory);
        return LoggedProcess.Start(node.LogFile, [path, .. Arguments(node), .. Initial()]);
    }

    /// <summary>The shell command that starts the node again: in the background, from any directory, writing to the same log.</summary>
    public string CommandLine(PlaygroundNode node)
    {
        // Once it lives it knows its cluster.
        string[] words = [path, .. Arguments(node), .. node.IsInhabited ? [] : Initial()];
        return $"{string.Join(' ', words.Select(Quote))} >>{Quote(node.LogFile)} 2>&1 &";
    }

    private static string[] Arguments(PlaygroundNode node) =>
        ["--name", node.Name, "--data-dir", node.Directory, "--listen-client", node.Client.ToString(), "--listen-peer", node.Peer];

    private string[] Initial() =>
        ["--initial-cluster", string.Join(',', nodes.Select(node => $"{node.Name}={node.Peer}")), "--initial-shards", $"{settings.Shards}", "--replicas", $"{settings.Replicas}"];

    /// <summary>As a POSIX shell reads it back as one word.</summary>
    private static string Quote(string word) => PlainWord().IsMatch(word) ? word : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    [GeneratedRegex(@"^[A-Za-z0-9_./:=,@%+-]+$")]
    private static partial Regex PlainWord();
}
