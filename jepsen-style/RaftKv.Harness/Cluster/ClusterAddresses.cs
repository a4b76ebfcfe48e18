using System.Net;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// Where each node of a run is found, and each proxy between two of them. Without namespaces all are ports of 127.0.0.1; else each node has an address of its own, and proxies are at the harness's.
/// </summary>
internal sealed class ClusterAddresses
{
    private readonly AddressBlock? _block;
    private readonly int[] _clientPorts;
    private readonly int[] _peerPorts;
    private readonly int[,] _proxyPorts;

    public ClusterAddresses(int nodes, AddressBlock? block, Func<int> nextPort)
    {
        _block = block;
        _clientPorts = [.. Enumerable.Range(0, nodes).Select(_ => nextPort())];
        _peerPorts = [.. Enumerable.Range(0, nodes).Select(_ => nextPort())];
        _proxyPorts = new int[nodes, nodes];
        for (int own = 0; own < nodes; own++)
            for (int other = 0; other < nodes; other++)
                if (other != own) _proxyPorts[own, other] = nextPort();
    }

    /// <summary>Where clients reach a node.</summary>
    public IPEndPoint Client(int node) => new(Of(node), _clientPorts[node]);

    /// <summary>Where a node listens for the others.</summary>
    public IPEndPoint Peer(int node) => new(Of(node), _peerPorts[node]);

    /// <summary>Where <paramref name="own"/> is told that <paramref name="other"/> were.</summary>
    public IPEndPoint Proxy(int own, int other) => new(_block?.OfHarness ?? IPAddress.Loopback, _proxyPorts[own, other]);

    private IPAddress Of(int node) => _block?.OfNode(node) ?? IPAddress.Loopback;
}
