using System.Globalization;

namespace RaftKv.Shardctl.Playground;

/// <summary>Everything the playground says. Commands stand alone on their line and are never wrapped, so that they can be copied.</summary>
/// <param name="directory">As shown to the user: relative if it lies below the current directory.</param>
internal sealed class PlaygroundText(Screen screen, PlaygroundSettings settings, string directory, TimeProvider time)
{
    private const string CommandStyle = "cyan";

    public void Welcome(TimeSpan took, IEnumerable<(PlaygroundNode Node, bool IsUp)> nodes)
    {
        PlaygroundNode[] up = [.. nodes.Where(node => node.IsUp).Select(node => node.Node)];
        screen.Line(string.Create(CultureInfo.InvariantCulture, $"RaftKv playground: {settings}; ready after {took.TotalSeconds:0.0} s"), "bold green");
        screen.Line();
        screen.Table(["node", "clients", "peers", "process", "data"], [.. nodes.Select(node => Row(node.Node, node.IsUp))], "peers", "process");
        screen.Line();
        screen.Line("Try it from another terminal:");
        Command($"curl -X PUT --data-binary 'hello' {up[0].Client.Url}v1/kv/greeting");
        Command($"curl {up[1 % up.Length].Client.Url}v1/kv/greeting");
        Command($"curl {up[0].Client.Url}v1/shards");
        if (settings.Replicas >= 3) Command($"kill -9 \"$(cat {Shown(up[0])}/node.pid)\"");
        screen.Line();
        screen.Line("Let shardctl know all nodes, so that it goes on when one is down:");
        Command($"export SHARDCTL_ENDPOINTS={string.Join(',', nodes.Select(node => node.Node.Client))}");
        screen.Line();
        screen.Line("Ctrl-C stops the nodes. What happens to them is shown here.");
    }

    public void Died(PlaygroundNode node, string how, string command)
    {
        Event($"{node.Name} is down: {how}. Start it again with:", "red");
        Command(command);
    }

    public void Silent(PlaygroundNode node) => Event($"{node.Name} does not answer, though its process {ProcessOf(node)} is there", "yellow");

    public void Back(PlaygroundNode node) => Event($"{node.Name} is back, process {ProcessOf(node)}", "green");

    public void LeadersMoved(LeadersMoved moved) => Event($"leader of {Shards(moved.Shards)}: {moved.From} → {moved.To}", null);

    public void LeadersMissing(LeadersMissing missing) => Event($"{Shards(missing.Shards)} without a leader: too many of the replicas are down", "red");

    public void LeadersComplete() => Event("every shard has a leader again", "green");

    public void Stopping(IEnumerable<PlaygroundNode> nodes) => Event($"stopping {Names(nodes)}", null);

    public void Stopped(bool areAll) => Event(areAll ? "stopped; the same command goes on from here" : "stopped; once all are, the same command goes on from here", null);

    public void Killed(PlaygroundNode node) => Event($"{node.Name} did not stop in time and was killed; what it acknowledged is on disk", "yellow");

    /// <summary>Others than us started them, so we do not end them.</summary>
    public void LeftRunning(IReadOnlyCollection<PlaygroundNode> nodes)
    {
        Event($"{Names(nodes)} {(nodes.Count == 1 ? "was" : "were")} not started here and {(nodes.Count == 1 ? "goes" : "go")} on; to stop:", "yellow");
        Command(StopCommand(nodes));
    }

    public static string StopCommand(IEnumerable<PlaygroundNode> nodes) => $"kill {string.Join(' ', nodes.Select(node => node.ReadProcessId()).OfType<int>())}";

    public static string Names(IEnumerable<PlaygroundNode> nodes) => string.Join(", ", nodes.Select(node => node.Name));

    private static string Shards(IReadOnlyList<ulong> shards) => $"{(shards.Count == 1 ? "shard" : "shards")} {string.Join(", ", shards)}";

    private static string ProcessOf(PlaygroundNode node) => node.ReadProcessId()?.ToString(CultureInfo.InvariantCulture) ?? "?";

    private Cell[] Row(PlaygroundNode node, bool isUp) =>
        [new(node.Name, "bold"), node.Client.Url.ToString().TrimEnd('/'), node.Peer, isUp ? ProcessOf(node) : new Cell("down", "red"), Shown(node)];

    private string Shown(PlaygroundNode node) => Path.Combine(directory, node.Name);

    private void Command(string command) => screen.Line("  " + screen.Paint(command, CommandStyle));

    private void Event(string what, string? style)
    {
        string clock = screen.Paint(time.GetLocalNow().ToString("HH:mm:ss", CultureInfo.InvariantCulture), "grey");
        screen.Line($"{clock}  {(style is null ? what : screen.Paint(what, style))}");
    }
}
