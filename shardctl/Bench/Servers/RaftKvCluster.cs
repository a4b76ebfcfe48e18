using RaftKv.Bench.Meters;
using RaftKv.Client;
using RaftKv.Contracts;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Bench.Servers;

/// <summary>Three RaftKv nodes with their default settings.</summary>
internal sealed class RaftKvCluster : BenchCluster
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(30);
    private readonly NodeClient _client = new(AskTimeout);
    private readonly PlaygroundSettings _settings;
    private readonly ulong _shard;

    /// <param name="program">raftkv-node.</param>
    /// <param name="directory">Made by the nodes.</param>
    public RaftKvCluster(string name, string program, string directory, int shards) : base(name, directory)
    {
        _settings = new PlaygroundSettings(Members, shards, Members, BenchPorts.First(Members));
        PlaygroundNode[] nodes = PlaygroundNode.All(_settings, directory);
        NodeProgram starter = new(program, _settings, nodes);
        Servers = [.. nodes.Select(node => new BenchServer(node.Name, node.Client, node.LogFile, () => starter.Start(node)))];
        Meter = new RaftKvMeter(_client, [.. nodes.Select(node => node.Client)]);
        Map = _settings.InitialMap();
        _shard = Map.Shards[0].Id;
    }

    public override IReadOnlyList<BenchServer> Servers { get; }

    public override IServerMeter Meter { get; }

    public ShardMap Map { get; }

    /// <summary>The shards that a server leads, by its own word.</summary>
    public async Task<IReadOnlyList<ulong>> ShardsLedByAsync(BenchServer server, CancellationToken cancellation) =>
        [.. (await _client.StatusAsync(server.Endpoint, cancellation)).Groups.Where(group => group.IsLeader).Select(group => group.Shard)];

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _client.Dispose();
    }

    protected override Task<bool> IsReadyAsync(BenchServer server, CancellationToken cancellation) => _client.IsReadyAsync(server.Endpoint, cancellation);

    protected override Task WaitWritableAsync(CancellationToken cancellation) =>
        ReadinessProbe.RunAsync([.. Servers.Select(server => server.Endpoint)], Map, WriteTimeout, _ => { }, cancellation);

    protected override async Task<BenchServer?> LookForLeaderAsync(CancellationToken cancellation)
    {
        (BenchServer Server, GroupStatus? Group)[] looks = await Task.WhenAll(Servers.Select(async server => (server, await GroupAsync(server, cancellation))));
        // A deposed leader may not know it yet; the highest term is right.
        return looks.Where(look => look.Group is { IsLeader: true }).OrderByDescending(look => look.Group!.Term).Select(look => look.Server).FirstOrDefault();
    }

    private async Task<GroupStatus?> GroupAsync(BenchServer server, CancellationToken cancellation)
    {
        try
        {
            return (await _client.StatusAsync(server.Endpoint, cancellation)).Groups.FirstOrDefault(group => group.Shard == _shard);
        }
        catch (NodeUnreachableException)
        {
            return null;
        }
    }
}
