using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport.Tests;

/// <summary>A node that is nothing but its peer port and links, on the loopback.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    /// <summary>Short waits, so that failures and retries take no time; the times under test are set where they are tested.</summary>
    public static readonly TransportOptions Quick = new() { MinBackoff = TimeSpan.FromMilliseconds(5), MaxBackoff = TimeSpan.FromMilliseconds(20) };

    private readonly WebApplication _host;
    private PeerConnectionHandler? _handler;
    private TcpPeerLinks? _links;
    private MetricProbe? _metrics;

    private TestNode(Hello hello, int port)
    {
        Hello = hello;
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.Run(connection => _handler!.OnConnectedAsync(connection))));
        _host = builder.Build();
    }

    public Hello Hello { get; }

    public int Port { get; private set; }

    public PeerAddress Address => new(Hello.Node, Hello.Name, "127.0.0.1", Port);

    public Inbox Inbox { get; } = new();

    public LogProbe Log { get; } = new();

    public JumpingClock Clock { get; } = new();

    public TcpPeerLinks Links => _links!;

    public MetricProbe Metrics => _metrics!;

    /// <summary>What the node "n(number)" of the tests' cluster says; every call is another start of its process.</summary>
    public static Hello HelloOf(int number) => new(1, 1, 0xC1, 0xD1, new NodeId((ulong)number), 0xAA, (ulong)Random.Shared.NextInt64(1, long.MaxValue), default, $"n{number}");

    public static Task<TestNode> ListenAsync(int number, int port = 0) => ListenAsync(HelloOf(number), port);

    public static async Task<TestNode> ListenAsync(Hello hello, int port = 0)
    {
        TestNode node = new(hello, port);
        await node._host.StartAsync();
        string url = node._host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        node.Port = new Uri(url).Port;
        return node;
    }

    /// <summary>Two nodes that reach each other.</summary>
    public static async Task<(TestNode First, TestNode Second)> PairAsync(TransportOptions? options = null)
    {
        TestNode first = await ListenAsync(1);
        TestNode second = await ListenAsync(2);
        first.Start(options, second.Address);
        second.Start(options, first.Address);
        await first.UpAsync(second);
        await second.UpAsync(first);
        return (first, second);
    }

    public void Start(TransportOptions? options, params PeerAddress[] peers)
    {
        Prepare(options, peers);
        Links.Start();
    }

    /// <summary>Accepts, and does not dial yet.</summary>
    public void Prepare(TransportOptions? options, params PeerAddress[] peers)
    {
        _links = new TcpPeerLinks(Hello, peers, Inbox, Log, options ?? Quick, Clock);
        _metrics = new MetricProbe(_links.Meter);
        _handler = new PeerConnectionHandler(_links);
    }

    /// <summary>Until this node has dialled the peer so many times with success.</summary>
    public Task UpAsync(TestNode peer, int times = 1) => UpAsync(peer.Hello, times);

    public Task UpAsync(Hello peer, int times = 1, string channel = "messages") =>
        Metrics.UntilAsync(times, "connections.opened", $"peer={peer.Name}", $"channel={channel}", "direction=dialled");

    public void Send(TestNode to, byte[] body, FrameKind kind = FrameKind.RaftMessages) => Links.Send(to.Hello.Node, Frames.Make(kind, body));

    public Task StopHostAsync() => _host.StopAsync(new CancellationTokenSource(Waiting.Ceiling).Token);

    public async ValueTask DisposeAsync()
    {
        if (_links is not null) await _links.DisposeAsync().AsTask().Soon();
        _metrics?.Dispose();
        await _host.DisposeAsync().AsTask().Soon();
    }
}

internal static class Frames
{
    public static byte[] Make(FrameKind kind, byte[] body)
    {
        ByteWriter writer = new(PeerFrame.HeaderBytes + body.Length);
        PeerFrame.Begin(writer, kind);
        writer.Raw(body);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    public static byte[] Make(Hello hello)
    {
        ByteWriter writer = new();
        hello.Write(writer);
        return writer.ToArray();
    }

    /// <summary>A body that says its number.</summary>
    public static byte[] Numbered(int number, int bytes = 64)
    {
        byte[] body = new byte[bytes];
        BitConverter.TryWriteBytes(body, number);
        return body;
    }
}
