using System.Text.Json;
using System.Text.Json.Serialization;
using RaftKv.Contracts;

namespace RaftKv.Shardctl.Playground;

/// <summary>What was asked for on the command line; null where nothing was.</summary>
internal sealed record PlaygroundRequest(int? Nodes, int? Shards, int? Replicas, int? ClientPort);

/// <summary>
/// What a playground is made of. Kept in <c>DIR/playground.json</c>, so that it resumes without repeating the flags:
/// <code>{ "nodes": 3, "shards": 8, "replicas": 3, "clientPort": 2379 }</code>
/// Invariants: 1 ≤ Nodes ≤ <see cref="MaxNodes"/>, Nodes ≠ 2; 1 ≤ Replicas ≤ Nodes; 1 ≤ Shards ≤ <see cref="MaxShards"/>; all ports are below 65536.
/// </summary>
internal sealed record PlaygroundSettings(int Nodes, int Shards, int Replicas, int ClientPort)
{
    public const int MaxNodes = 25;
    public const int MaxShards = 4096;
    public const int DefaultClientPort = 2379;
    private const int DefaultNodes = 3;
    private const int DefaultShards = 8;
    private const int DefaultReplicas = 3;

    public static string FileIn(string directory) => Path.Combine(directory, "playground.json");

    /// <summary>
    /// What the directory holds and the request adds. Throws <see cref="CommandException"/> if the request is impossible, or is for
    /// another playground than the one that lives there: only the ports may change.
    /// </summary>
    public static PlaygroundSettings Resolve(PlaygroundRequest request, string directory, string shownDirectory)
    {
        PlaygroundSettings? found = TryRead(FileIn(directory));
        int nodes = request.Nodes ?? found?.Nodes ?? DefaultNodes;
        PlaygroundSettings settings = new(
            nodes,
            request.Shards ?? found?.Shards ?? DefaultShards,
            request.Replicas ?? found?.Replicas ?? Math.Min(DefaultReplicas, nodes),
            request.ClientPort ?? found?.ClientPort ?? DefaultClientPort);
        if (found is not null && settings with { ClientPort = found.ClientPort } != found)
            throw new CommandException(ExitCode.Usage, $"{shownDirectory} holds a playground of {found}; use another --data-dir, or delete that one to begin anew");
        settings.Check();
        return settings;
    }

    public void Save(string directory)
    {
        Directory.CreateDirectory(directory);
        string next = FileIn(directory) + ".new";
        File.WriteAllText(next, JsonSerializer.Serialize(this, PlaygroundJson.Default.PlaygroundSettings) + "\n");
        File.Move(next, FileIn(directory), overwrite: true);
    }

    public ShardMap InitialMap() => ShardMap.Initial([.. PlaygroundNode.All(this, "").Select(node => node.Name)], Shards, Replicas);

    public override string ToString() => $"{Plural(Nodes, "node")}, {Plural(Shards, "shard")} and {Plural(Replicas, "replica")} of each";

    public static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";

    private void Check()
    {
        Range("--nodes", Nodes, 1, MaxNodes);
        if (Nodes == 2) throw new CommandException(ExitCode.Usage, "--nodes 2: a cluster of two is not supported; it would stop with either of them");
        Range("--shards", Shards, 1, MaxShards);
        if (Replicas < 1 || Replicas > Nodes) throw new CommandException(ExitCode.Usage, $"--replicas {Replicas}: must be from 1 to the number of nodes, {Nodes}");
        Range("--client-port", ClientPort, 1, ushort.MaxValue - PlaygroundNode.LastPort(Nodes, 0));
    }

    private static void Range(string option, int value, int min, int max)
    {
        if (value < min || value > max) throw new CommandException(ExitCode.Usage, $"{option} {value}: must be from {min} to {max}");
    }

    private static PlaygroundSettings? TryRead(string file)
    {
        try
        {
            return File.Exists(file) ? JsonSerializer.Deserialize(File.ReadAllText(file), PlaygroundJson.Default.PlaygroundSettings) : null;
        }
        catch (JsonException exception)
        {
            throw new CommandException(ExitCode.Error, $"{file} is damaged: {exception.Message}");
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n", RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(PlaygroundSettings))]
internal sealed partial class PlaygroundJson : JsonSerializerContext;
