using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Shardctl.Playground;

/// <summary>One node of the playground: where it listens and lives. Node i (from 1) is n{i}, on client port + 10 (i − 1), its peer port one above.</summary>
/// <param name="Directory">Absolute.</param>
internal sealed record PlaygroundNode(string Name, int ClientPort, string Directory)
{
    public const string Host = "127.0.0.1";
    private const int PortStep = 10;

    public int PeerPort => ClientPort + 1;

    public ClientEndpoint Client => new(Host, ClientPort);

    public string Peer => string.Create(CultureInfo.InvariantCulture, $"{Host}:{PeerPort}");

    public string LogFile => Path.Combine(Directory, "node.log");

    /// <summary>Held with flock by the node while it lives.</summary>
    private string LockFile => Path.Combine(Directory, "lock");

    /// <summary>Whether a node has begun to live here: then it knows its cluster.</summary>
    public bool IsInhabited => System.IO.Directory.Exists(Path.Combine(Directory, "log"));

    /// <summary>The highest port of so many nodes.</summary>
    public static int LastPort(int nodes, int clientPort) => clientPort + (PortStep * (nodes - 1)) + 1;

    public static PlaygroundNode[] All(PlaygroundSettings settings, string directory) =>
    [
        .. Enumerable.Range(0, settings.Nodes).Select(i => new PlaygroundNode($"n{i + 1}", settings.ClientPort + (PortStep * i), Path.Combine(directory, $"n{i + 1}"))),
    ];

    /// <summary>The id of the process that lives here, by its node.pid; null if there is none. A killed node leaves the file behind.</summary>
    public int? ReadProcessId()
    {
        try
        {
            return int.TryParse(File.ReadAllText(Path.Combine(Directory, "node.pid")), CultureInfo.InvariantCulture, out int id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Whether some process holds the directory's lock.</summary>
    public bool IsLocked()
    {
        if (!File.Exists(LockFile)) return false;
        try
        {
            // FileShare.None is an flock, as the node's own.
            File.OpenHandle(LockFile, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
