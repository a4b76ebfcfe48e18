using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl playground</c>: a cluster of real nodes on this machine, in the foreground.</summary>
internal static class PlaygroundVerb
{
    private static readonly Option<int> s_nodes = new("--nodes") { CustomParser = GlobalOptions.WholeNumber, Description = "How many nodes. [default: 3]", HelpName = "N" };
    private static readonly Option<int> s_shards = new("--shards") { CustomParser = GlobalOptions.WholeNumber, Description = "Into how many shards the keys are divided. [default: 8]", HelpName = "N" };
    private static readonly Option<int> s_replicas = new("--replicas") { CustomParser = GlobalOptions.WholeNumber, Description = "How many nodes keep a copy of each shard. [default: 3, or the number of nodes]", HelpName = "N" };
    private static readonly Option<int> s_clientPort = new("--client-port") { CustomParser = GlobalOptions.WholeNumber, Description = "The first node's port for clients; each further node is 10 above, peers one above clients. [default: 2379]", HelpName = "PORT" };
    private static readonly Option<string> s_dataDirectory = new("--data-dir") { Description = "Where the nodes keep their data. What is there already is resumed, with the flags it was made with.", HelpName = "DIR", DefaultValueFactory = _ => ".data" };

    public static Command Create(Screen screen)
    {
        Command command = new("playground", "Start a cluster on this machine and show what happens to it, until Ctrl-C.") { s_nodes, s_shards, s_replicas, s_clientPort, s_dataDirectory };
        command.SetAction(async (result, _) =>
        {
            GlobalOptions.Refuse(result, "playground", GlobalOptions.All);
            PlaygroundRequest request = new(Given(result, s_nodes), Given(result, s_shards), Given(result, s_replicas), Given(result, s_clientPort));
            await RunAsync(screen, request, result.GetValue(s_dataDirectory)!);
            return ExitCode.Ok;
        });
        return command;
    }

    private static int? Given(ParseResult result, Option<int> option) => result.GetResult(option) is null ? null : result.GetValue(option);

    private static async Task RunAsync(Screen screen, PlaygroundRequest request, string dataDirectory)
    {
        if (dataDirectory.Length == 0) throw new CommandException(ExitCode.Usage, "--data-dir is empty");
        string directory = Path.GetFullPath(dataDirectory);
        string shown = ShownPath(directory);
        try
        {
            PlaygroundSettings settings = PlaygroundSettings.Resolve(request, directory, shown);
            PlaygroundNode[] nodes = PlaygroundNode.All(settings, directory);
            NodeProgram program = new(NodeProgramFile.Find(Environment.GetEnvironmentVariable(NodeProgramFile.Variable)), settings, nodes);
            // What can be refused comes before anything is made.
            RefuseIfRunning(nodes, shown);
            foreach (PlaygroundNode node in nodes) RefuseIfTaken(node);
            settings.Save(directory);
            if (request.ClientPort is null && settings.ClientPort != PlaygroundSettings.DefaultClientPort)
                screen.Line($"{shown} was made with --client-port {settings.ClientPort}; the nodes listen from there on again, not from {PlaygroundSettings.DefaultClientPort}.");
            using StopSignals signals = new();
            using PlaygroundRun run = new(screen, settings, nodes, program, new PlaygroundText(screen, settings, shown, TimeProvider.System));
            await run.RunAsync(signals);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"--data-dir {shown}: {exception.Message}");
        }
    }

    private static void RefuseIfRunning(PlaygroundNode[] nodes, string shown)
    {
        PlaygroundNode[] running = [.. nodes.Where(node => node.IsLocked())];
        if (running.Length == 0) return;
        throw new CommandException(ExitCode.Usage, $"{PlaygroundText.Names(running)} already running in {shown}; stop with: {PlaygroundText.StopCommand(running)}");
    }

    private static void RefuseIfTaken(PlaygroundNode node)
    {
        foreach (int port in (int[])[node.ClientPort, node.PeerPort])
        {
            try
            {
                using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse(PlaygroundNode.Host), port));
                socket.Listen();
            }
            catch (SocketException exception)
            {
                throw new CommandException(ExitCode.Usage, $"port {port}, wanted by {node.Name}: {exception.Message}; choose others with --client-port");
            }
        }
    }

    /// <summary>Relative if it lies below the current directory.</summary>
    private static string ShownPath(string directory)
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, directory);
        return relative.StartsWith("..", StringComparison.Ordinal) ? directory : relative;
    }
}
