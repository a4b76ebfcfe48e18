using System.Net;
using System.Net.Sockets;
using RaftKv.Bench.Meters;
using RaftKv.Client;

namespace RaftKv.Bench.Tests.Loop;

/// <summary>The closed loop against a server that counts. What is asserted are counts, never times.</summary>
public sealed class LoadRunTests
{
    private const int Clients = 8;
    private readonly List<string> _said = [];

    [Fact]
    public async Task Every_client_has_one_request_under_way_and_every_answer_is_counted()
    {
        using FakeServer server = new((_, _) => FakeAnswer.Done, gather: Clients);
        LoadResult result = await RunAsync(Plan(server) with { WarmUp = TimeSpan.Zero });
        Assert.Equal((Clients, true), (server.MostUnderWay, server.Connections >= Clients));
        Assert.InRange(result.Tally.Puts.Count, 1, server.Given(FakeAnswer.Done));
        Assert.Equal((0, 0, 0), (result.Tally.Gets.Count, result.Tally.Failures, result.LostConnections.Count + result.FailedConnects.Count));
        Assert.Equal(result.Tally.Puts.Count / result.Elapsed.TotalSeconds, result.Throughput);
        Assert.True(result.ClientCpuMicros > 0);
        Assert.Contains(_said, text => text.StartsWith("measuring", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Failures_are_counted_by_kind_and_reason_and_have_no_latency()
    {
        int number = 0;
        using FakeServer server = new((method, _) => method == "GET"
            ? (Interlocked.Increment(ref number) % 2) switch { 0 => FakeAnswer.NotFound, _ => FakeAnswer.Overloaded }
            : (Interlocked.Increment(ref number) % 3) switch { 0 => FakeAnswer.Done, 1 => FakeAnswer.Overloaded, _ => FakeAnswer.OutcomeUnknown });
        LoadResult result = await RunAsync(Plan(server) with { ReadShare = 0.5 });
        Tally tally = result.Tally;
        Assert.Equal(["overloaded"], tally.Refused.Keys);
        Assert.Equal(["outcome-unknown"], tally.Unknown.Keys);
        Assert.Equal(["overloaded"], tally.FailedGets.Keys);
        Assert.True(tally.Puts.Count > 0);
        Assert.True(tally.Absent > 0);
        Assert.Equal(tally.Absent, tally.Gets.Count);
        Assert.Equal(tally.Refused["overloaded"] + tally.Unknown["outcome-unknown"] + tally.FailedGets["overloaded"], tally.Failures);
        Assert.Empty(result.LostConnections);
    }

    [Fact]
    public async Task A_put_whose_connection_breaks_is_unknown_and_the_client_goes_on()
    {
        int number = 0;
        using FakeServer server = new((_, _) => Interlocked.Increment(ref number) % 50 == 0 ? FakeAnswer.Close : FakeAnswer.Done);
        LoadResult result = await RunAsync(Plan(server));
        Assert.True(server.Connections > Clients);
        Assert.True(result.Tally.Puts.Count > 0);
        Assert.Equal(["connection-closed"], result.Tally.Unknown.Keys);
        Assert.Equal(["connection-closed"], result.LostConnections.Keys);
        Assert.Empty(result.Tally.Refused);
    }

    [Fact]
    public async Task A_request_without_an_answer_is_given_up_and_unknown()
    {
        using FakeServer server = new((_, key) => key.EndsWith('7') ? FakeAnswer.Silence : FakeAnswer.Done);
        LoadResult result = await RunAsync(Plan(server) with { RequestTimeout = TimeSpan.FromMilliseconds(50) });
        Assert.Equal(["no-answer-in-time"], result.Tally.Unknown.Keys);
        Assert.Equal(["connection-given-up"], result.LostConnections.Keys);
        Assert.True(result.Tally.Puts.Count > 0);
    }

    [Fact]
    public async Task What_one_server_refuses_a_roaming_client_makes_again_at_the_next()
    {
        using FakeServer refusing = new((_, _) => FakeAnswer.Overloaded);
        using FakeServer server = new((_, _) => FakeAnswer.Done);
        LoadResult result = await RunAsync(Plan(refusing) with { Endpoints = [refusing.Endpoint, server.Endpoint], Roams = true });
        Assert.True(refusing.Given(FakeAnswer.Overloaded) > 0);
        Assert.True(result.Tally.Puts.Count > 0);
        Assert.Equal(0, result.Tally.Failures);
        Assert.Empty(result.LostConnections);
    }

    [Fact]
    public async Task What_may_have_been_applied_a_roaming_client_does_not_make_again()
    {
        using FakeServer closing = new((_, _) => FakeAnswer.Close);
        using FakeServer server = new((_, _) => FakeAnswer.Done);
        LoadPlan plan = Plan(closing) with { Endpoints = [closing.Endpoint, server.Endpoint], Roams = true, WarmUp = TimeSpan.Zero };
        LoadResult result = await RunAsync(plan);
        // Half of the clients begin there; each goes on to the other one, and stays.
        Assert.Equal((Clients / 2, Clients / 2), (closing.Given(FakeAnswer.Close), (int)result.LostConnections["connection-closed"]));
        Assert.Equal(["connection-closed"], result.Tally.Unknown.Keys);
    }

    [Fact]
    public async Task A_request_that_is_due_and_that_no_server_takes_in_time_has_failed()
    {
        FakeServer gone = new((_, _) => FakeAnswer.Done);
        LoadPlan plan = Plan(gone) with { Roams = true, Pace = TimeSpan.FromMilliseconds(20), RequestTimeout = TimeSpan.FromMilliseconds(20) };
        gone.Dispose();
        Tally tally = new();
        await using Load load = Load.Start(plan);
        load.CountInto(tally);
        await load.WaitAsync(TimeSpan.FromMilliseconds(400), _ => { }, TestContext.Current.CancellationToken);
        await load.StopAsync();
        Assert.Equal(["no-server-in-time"], tally.Refused.Keys);
        Assert.Equal(0, tally.Operations);
    }

    [Fact]
    public async Task Clients_with_a_pace_take_turns()
    {
        using FakeServer server = new((_, _) => FakeAnswer.Done);
        await RunAsync(Plan(server) with { Pace = TimeSpan.FromHours(1) });
        Assert.Equal(1, server.Given(FakeAnswer.Done)); // The first client's; the next one's turn is in an eighth of an hour.
    }

    [Fact]
    public async Task Filling_writes_every_key_although_some_writes_fail()
    {
        int number = 0;
        using FakeServer server = new((_, _) => (Interlocked.Increment(ref number) % 10) switch { 3 => FakeAnswer.Close, 7 => FakeAnswer.Overloaded, _ => FakeAnswer.Done });
        LoadPlan plan = Plan(server) with { Keys = 500 };
        await LoadRun.FillAsync(plan, _said.Add, TestContext.Current.CancellationToken);
        Assert.Equal((500, 500), (server.Puts.Count, server.Puts.Values.Sum()));
    }

    [Fact]
    public async Task Connections_go_to_the_endpoints_in_turn()
    {
        using FakeServer first = new((_, _) => FakeAnswer.Done, gather: Clients / 2);
        using FakeServer second = new((_, _) => FakeAnswer.Done, gather: Clients / 2);
        await RunAsync(Plan(first) with { Endpoints = [first.Endpoint, second.Endpoint] });
        // One more of each: the look whether it takes connections at all.
        Assert.Equal(((Clients / 2) + 1, (Clients / 2) + 1), (first.Connections, second.Connections));
        Assert.Equal((Clients / 2, Clients / 2), (first.MostUnderWay, second.MostUnderWay));
    }

    [Fact]
    public async Task An_endpoint_that_takes_no_connections_is_named()
    {
        FakeServer gone = new((_, _) => FakeAnswer.Done);
        ClientEndpoint endpoint = gone.Endpoint;
        gone.Dispose();
        LoadException failure = await Assert.ThrowsAsync<LoadException>(() => RunAsync(Plan(endpoint)));
        Assert.True(failure.IsUnreachable);
        Assert.Contains($"cannot connect to {endpoint}: Connection refused", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_goes_away_under_load_is_tried_again_until_the_end()
    {
        FakeServer? server = null;
        int number = 0;
        server = new FakeServer((_, _) =>
        {
            if (Interlocked.Increment(ref number) < 100) return FakeAnswer.Done;
            server!.Dispose();
            return FakeAnswer.Close;
        });
        LoadResult result = await RunAsync(Plan(server) with { WarmUp = TimeSpan.Zero });
        Assert.Equal(["connection-closed"], result.LostConnections.Keys);
        Assert.Equal(["connection-refused"], result.FailedConnects.Keys);
    }

    /// <summary>Whose queue of new connections is full does not even refuse.</summary>
    [Fact]
    public async Task A_server_that_takes_no_connection_is_not_waited_for()
    {
        using Socket full = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        await using Load load = Load.Start(Plan(new ClientEndpoint("127.0.0.1", ((IPEndPoint)full.LocalEndPoint!).Port)) with { RequestTimeout = TimeSpan.FromMilliseconds(50) });
        await load.WaitAsync(TimeSpan.FromMilliseconds(500), _ => { }, TestContext.Current.CancellationToken);
        await load.StopAsync();
        Assert.Equal(["no-connection-in-time"], load.FailedConnects.Keys);
    }

    [Fact]
    public async Task A_load_that_is_cancelled_ends_at_once()
    {
        using FakeServer server = new((_, _) => FakeAnswer.Done);
        using CancellationTokenSource stop = new();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => LoadRun.RunAsync(
            Plan(server) with { Duration = TimeSpan.FromHours(1) }, new ProcessMeter([]), null, text => { if (text.StartsWith("measuring", StringComparison.Ordinal)) stop.Cancel(); }, stop.Token));
    }

    [Fact]
    public async Task What_servers_use_is_divided_by_what_succeeded()
    {
        using FakeServer server = new((_, _) => FakeAnswer.Done);
        LoadResult result = await LoadRun.RunAsync(Plan(server), new ProcessMeter([Environment.ProcessId]), null, _said.Add, TestContext.Current.CancellationToken);
        ServerUse use = Assert.Single(result.Servers);
        Assert.Equal(use.CpuMicros / (double)result.Tally.Operations, result.PerOperation(one => one.CpuMicros));
        Assert.Null(result.PerOperation(one => one.AllocatedBytes));
    }

    private static LoadPlan Plan(FakeServer server) => Plan(server.Endpoint);

    private static LoadPlan Plan(ClientEndpoint endpoint) => new()
    {
        Protocol = LoadProtocol.RaftKvHttp1,
        Endpoints = [endpoint],
        Clients = Clients,
        Connections = Clients,
        Keys = 1_000,
        WarmUp = TimeSpan.FromMilliseconds(100),
        Duration = TimeSpan.FromMilliseconds(400),
    };

    private Task<LoadResult> RunAsync(LoadPlan plan) => LoadRun.RunAsync(plan, new ProcessMeter([]), null, _said.Add, TestContext.Current.CancellationToken);
}
