using RaftKv.Bench;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>The loads of the comparison: 16-byte keys of 100,000, values of 256 bytes.</summary>
internal static class Loads
{
    /// <summary>What several clients share a connection for is to have few.</summary>
    public const int FewConnections = 8;

    /// <summary>Every client has a connection of its own: HTTP/1.1, or gRPC with one stream.</summary>
    public static LoadPlan Own(LoadProtocol protocol, int clients) => new() { Protocol = protocol, Endpoints = [], Clients = clients, Connections = clients };

    /// <summary>Clients share a few connections: streams of HTTP/2.</summary>
    public static LoadPlan Shared(LoadProtocol protocol, int clients, int connections = FewConnections) => Own(protocol, clients) with { Connections = connections };
}
