using System.Text.Json;

namespace RaftKv.Node.Tests.Support;

/// <summary>Nodes n1…n on ports of their own, in a directory that goes with the cluster.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("raftkv-node-");

    private TestCluster(int nodes, int shards, string[] options)
    {
        (int Client, int Peer)[] ports = [.. Enumerable.Range(0, nodes).Select(_ => (FreePorts.Next(), FreePorts.Next()))];
        string members = string.Join(',', ports.Select((port, i) => $"n{i + 1}=127.0.0.1:{port.Peer}"));
        Nodes = [.. ports.Select((port, i) => new NodeUnderTest($"n{i + 1}", Path.Combine(_directory.FullName, $"n{i + 1}"), members, port.Client, port.Peer, ["--initial-shards", $"{shards}", .. options]))];
    }

    public NodeUnderTest[] Nodes { get; }

    public string DirectoryPath => _directory.FullName;

    /// <summary>A cluster of which nothing runs yet.</summary>
    public static TestCluster Make(int nodes, int shards = 1, params string[] options) => new(nodes, shards, options);

    public static async Task<TestCluster> StartAsync(int nodes, int shards = 1, params string[] options)
    {
        TestCluster cluster = new(nodes, shards, options);
        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();
        return cluster;
    }

    public async Task WaitReadyAsync()
    {
        foreach (NodeUnderTest node in Nodes) await node.WaitReadyAsync();
    }

    /// <summary>The node that leads shard 1, by the word of the node itself.</summary>
    public async Task<NodeUnderTest> LeaderAsync()
    {
        NodeUnderTest? leader = null;
        await Wait.UntilAsync("a leader of shard 1", async () =>
        {
            foreach (NodeUnderTest node in Nodes)
            {
                JsonElement group = (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("groups")[0];
                if (group.GetProperty("role").GetString() == "leader") leader = node;
            }

            return leader is not null;
        });
        return leader!;
    }

    /// <summary>Every replica has applied all that any replica of its shard holds: what was acknowledged before shows in stale reads too.</summary>
    public Task WaitLevelAsync() => Wait.UntilAsync("all replicas have applied the same", async () =>
    {
        JsonElement[] statuses = await Task.WhenAll(Nodes.Select(node => Client.GetJsonAsync(node.Url, "/v1/status")));
        return statuses.SelectMany(status => status.GetProperty("groups").EnumerateArray())
            .GroupBy(group => group.GetProperty("shard").GetUInt64())
            .All(shard => shard.SelectMany(group => (ulong[])[group.GetProperty("applied").GetUInt64(), group.GetProperty("last").GetUInt64()]).Distinct().Count() == 1);
    });

    public IEnumerable<NodeUnderTest> Others(NodeUnderTest node) => Nodes.Where(other => other != node);

    public async ValueTask DisposeAsync()
    {
        foreach (NodeUnderTest node in Nodes) await node.DisposeAsync();
        _directory.Delete(recursive: true);
    }
}
