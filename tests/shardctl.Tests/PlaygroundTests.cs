using System.Diagnostics;
using System.Globalization;
using System.Text;
using RaftKv.Client;

namespace RaftKv.Shardctl.Tests;

/// <summary>The playground as a new user has it: the real programs, three nodes, a kill -9, Ctrl-C.</summary>
public sealed class PlaygroundTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("playground-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task It_starts_survives_a_kill_takes_the_node_back_stops_and_resumes()
    {
        int port = Shardctl.PlaygroundPort();
        string endpoints = string.Join(',', Enumerable.Range(0, 3).Select(i => $"127.0.0.1:{port + (10 * i)}"));
        using Job first = Playground("--client-port", $"{port}");
        await first.LineAsync("ready after");
        await first.LineAsync($"curl -X PUT --data-binary 'hello' http://127.0.0.1:{port}/v1/kv/greeting");
        await first.LineAsync($"curl http://127.0.0.1:{port + 10}/v1/kv/greeting");
        await first.LineAsync(endpoints);
        Assert.Equal((0, "revision 1, a new key\n"), await RunAsync("put", "greeting", "hello", "--endpoints", $"127.0.0.1:{port}"));
        Assert.Equal((0, "hello"), await RunAsync("get", "greeting", "--endpoints", $"127.0.0.1:{port + 10}"));
        Assert.Equal(0, (await RunAsync("status", "--endpoints", endpoints)).ExitCode);

        int[] started = [.. Enumerable.Range(1, 3).Select(ProcessIdOf)];
        using Job killed = Shell($"kill -9 \"$(cat '{_directory}/n1/node.pid')\"");
        await first.LineAsync("n1 is down: killed (SIGKILL). Start it again with:");
        string command = (await first.LineAsync("--name n1")).Trim();
        Assert.Equal((0, "hello"), await RunAsync("get", "greeting", "--endpoints", endpoints));
        Assert.Equal((0, "revision 2, replaces 1\n"), await RunAsync("put", "greeting", "again", "--endpoints", endpoints));
        Assert.Equal(ExitCode.Unhealthy, (await RunAsync("status", "--endpoints", endpoints)).ExitCode);

        using Job restarted = Shell($"{command} wait");
        await first.LineAsync("n1 is back");
        Assert.Equal((0, "again"), await RunAsync("get", "greeting", "--endpoints", $"127.0.0.1:{port}"));

        using Job interrupt = Shell($"kill -INT {first.Id}");
        string stop = await first.LineAsync("kill ");
        Assert.Equal($"kill {ProcessIdOf(1)}", stop.Trim());
        Assert.Equal(0, await first.EndAsync());
        Assert.All(started, id => Assert.False(Directory.Exists($"/proc/{id}"), $"process {id} is left"));

        // The node it did not start goes on, and is ended with the command it printed.
        Shardctl.Complained(await Shardctl.RunAsync("playground", "--data-dir", _directory), ExitCode.Usage, $"n1 already running in {_directory}; stop with: {stop.Trim()}");
        using Job stopped = Shell(stop);
        Assert.Equal(0, await restarted.EndAsync());

        using Job second = Playground();
        await second.LineAsync($"was made with --client-port {port}; the nodes listen from there on again");
        await second.LineAsync("ready after");
        Assert.Equal((0, "again"), await RunAsync("get", "greeting", "--endpoints", endpoints));
        using Job terminate = Shell($"kill -TERM {second.Id}");
        Assert.Equal(0, await second.EndAsync());
        Assert.Empty(Directory.GetFiles(_directory, "node.pid", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task The_client_and_shardctl_do_everything_they_know_on_a_real_cluster()
    {
        int port = Shardctl.PlaygroundPort();
        using Job playground = Playground("--client-port", $"{port}", "--shards", "4");
        await playground.LineAsync("ready after");
        ClientEndpoint[] endpoints = [.. Enumerable.Range(0, 3).Select(i => new ClientEndpoint("127.0.0.1", port + (10 * i)))];
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = endpoints });

        byte[][] keys = [.. Enumerable.Range(0, 50).Select(i => Encoding.UTF8.GetBytes($"many/{i:d2}"))];
        BatchResult batch = await client.BatchAsync([.. keys.Select(key => Operation.Put(key, key)), Operation.Delete("none"u8.ToArray()), Operation.Put(keys[0], default, condition: WriteCondition.IfAbsent)]);
        Assert.All(batch.Items[..51], item => Assert.Equal((RequestOutcome.Applied, null), (item.Outcome, item.Error)));
        Assert.Equal((RequestOutcome.Rejected, "precondition-failed"), (batch.Items[51].Outcome, batch.Items[51].Error?.Code));
        BatchResult read = await client.BatchAsync([.. keys.Select(key => Operation.Get(key))]);
        Assert.Equal(keys, read.Items.Select(item => item.Value!));

        List<byte[]> listed = [];
        await foreach (ListItem item in client.ListAsync(new ListQuery(Prefix: "many/"u8.ToArray()) { PageKeys = 7 }))
        {
            Assert.Equal(item.Key, item.Value);
            listed.Add(item.Key);
        }

        Assert.Equal(keys, listed);
        Assert.Equal(50, (await client.CountAsync(new ListQuery(Prefix: "many/"u8.ToArray()))).Count);

        byte[] from = "{bank}a"u8.ToArray();
        byte[] to = "{bank}b"u8.ToArray();
        WriteResult first = await client.PutAsync(from, "100"u8.ToArray());
        Txn move = new([Compare.RevisionIs(from, first.Revision), Compare.Exists(to, false)], [Operation.Put(from, "70"u8.ToArray()), Operation.Put(to, "30"u8.ToArray())], [Operation.Get(from)]);
        TxnResult moved = await client.TxnAsync(move);
        TxnResult again = await client.TxnAsync(move);
        Assert.Equal((RequestOutcome.Applied, true, false), (moved.Outcome, moved.Succeeded, again.Succeeded));
        Assert.Equal("70"u8.ToArray(), again.Items.Single().Value);
        Assert.Equal("100"u8.ToArray(), (await client.GetAsync(from, new GetOptions(Revision: first.Revision))).Value);
        Assert.Equal((RequestOutcome.Rejected, "spans-shards"), (await client.TxnAsync(new Txn([], [.. keys.Select(key => Operation.Delete(key))], []))) is var spanning ? (spanning.Outcome, spanning.Error?.Code) : default);
        foreach (ClientEndpoint endpoint in endpoints)
        {
            using RaftKvClient one = new(new RaftKvClientOptions { Endpoints = [endpoint] });
            GetResult stale = await one.GetAsync(from, new GetOptions(ReadConsistency.Stale));
            Assert.Equal((RequestOutcome.Applied, "stale"), (stale.Outcome, stale.Consistency));
        }

        string any = endpoints[1].ToString();
        Assert.Equal((0, "{bank}a\n{bank}b\n"), await RunAsync("list", "--prefix", "{bank}", "--keys-only", "--endpoints", any));
        Assert.Equal((0, "50\n"), await RunAsync("list", "--prefix", "many/", "--count-only", "--endpoints", any));
        Assert.Equal((0, "100"), await RunAsync("get", "{bank}a", "--revision", $"{first.Revision}", "--endpoints", any));
        Shardctl.Ended status = await Shardctl.RunAsync("status", "--endpoints", any); // One endpoint is enough: it knows the others'.
        Assert.Equal((0, ""), (status.ExitCode, status.Error));
        Assert.DoesNotContain("unknown", status.Out, StringComparison.Ordinal);

        using Job terminate = Shell($"kill -TERM {playground.Id}");
        Assert.Equal(0, await playground.EndAsync());
    }

    /// <summary>A node that cannot start on what it finds is told with its reason; the others serve.</summary>
    [Fact]
    public async Task A_node_whose_disk_is_gone_does_not_keep_the_others_from_serving()
    {
        int port = Shardctl.PlaygroundPort();
        using (Job first = Playground("--client-port", $"{port}", "--shards", "2"))
        {
            await first.LineAsync("ready after");
            using Job stop = Shell($"kill -INT {first.Id}");
            Assert.Equal(0, await first.EndAsync());
        }

        foreach (string segment in Directory.GetFiles(Path.Combine(_directory, "n2", "log"))) File.Delete(segment);
        using Job second = Playground();
        await second.LineAsync("ready after");
        await second.LineAsync("n2 is down: exit code 1: ");
        using Job terminate = Shell($"kill -INT {second.Id}");
        Assert.Equal(0, await second.EndAsync());
    }

    private int ProcessIdOf(int node) => int.Parse(File.ReadAllText(Path.Combine(_directory, $"n{node}", "node.pid")), CultureInfo.InvariantCulture);

    /// <summary>Through env, because who runs the tests in the background of a script has SIGINT ignored, and that is inherited.</summary>
    private Job Playground(params string[] arguments) =>
        Job.Start("env", ["--default-signal=INT", Path.Combine(AppContext.BaseDirectory, "../../shardctl/release/shardctl"), "playground", "--data-dir", _directory, .. arguments]);

    private static Job Shell(string script) => Job.Start("/bin/sh", ["-c", script]);

    private static async Task<(int ExitCode, string Out)> RunAsync(params string[] arguments)
    {
        Shardctl.Ended ended = await Shardctl.RunAsync(arguments);
        return (ended.ExitCode, ended.Out);
    }

    /// <summary>A process of the test's; what it says is waited for, and it does not outlive the test.</summary>
    private sealed class Job : IDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
        private readonly Process _process;
        private readonly List<string> _heard = [];

        private Job(Process process) => _process = process;

        public int Id => _process.Id;

        public static Job Start(string program, string[] arguments) => new(Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!);

        /// <summary>The next line that contains the text.</summary>
        public async Task<string> LineAsync(string text)
        {
            using CancellationTokenSource limit = new(Patience);
            while (await _process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
            {
                _heard.Add(line);
                if (line.Contains(text, StringComparison.Ordinal)) return line;
            }

            throw new InvalidOperationException($"it ended without '{text}', having said:\n{string.Join('\n', _heard)}");
        }

        public async Task<int> EndAsync()
        {
            using CancellationTokenSource limit = new(Patience);
            await _process.WaitForExitAsync(limit.Token);
            return _process.ExitCode;
        }

        public void Dispose()
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
