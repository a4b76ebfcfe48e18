using System.Globalization;
using RaftKv.Harness.Clients;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>A node gets a fifth of a core: a group of its own with a quota for each tenth of a second.</summary>
internal sealed class CpuQuotaFault() : Fault("cpu-quota", FaultTrack.Process, "a node gets 20 % of a core", FaultNeeds.Root | FaultNeeds.ControlGroups)
{
    private const int Percent = 20;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        long began = scene.Clock.NowMicros;
        ControlGroup group = node.MakeGroup(GroupController.Cpu);
        (long Times, TimeSpan Time) throttled;
        try
        {
            group.LimitCpu(Percent);
            node.Enter(group);
            await HoldAsync(duration, stop);
            throttled = group.Throttled();
        }
        finally
        {
            await group.DeleteAsync();
        }

        return FaultBite.Of(
            node.Name, throttled.Times > 0, ("times throttled", throttled.Times), ("milliseconds its threads waited", Math.Round(throttled.Time.TotalMilliseconds)), ("leader changes meanwhile", scene.Leaders.ChangesSince(began)));
    }
}

/// <summary>
/// From now on a node gets a little memory more and not a byte beyond: the kernel takes its cached files, and in the end kills it. What it had before is not counted, so the limit does
/// not depend on its size. If it does without for half of the time, the limit is drawn in to what it has taken. A node that was killed is started again outside.
/// </summary>
internal sealed class MemoryLimitFault() : Fault("memory-limit", FaultTrack.Process, "a node gets a little more memory than it has, and no more: it makes do, or is killed", FaultNeeds.Root | FaultNeeds.ControlGroups)
{
    private const int Killed = 128 + 9;
    private const int LeastKibi = 512;
    private const int MostKibi = 8 * 1024;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);

    /// <summary>So much longer it may take until it asks for more: it may be cut off from all work.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(8);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        long limit = (long)scene.Random.Next(LeastKibi, MostKibi) << 10;
        ControlGroup group = node.MakeGroup(GroupController.Memory);
        long most = 0;
        long refusals;
        long kills;
        int? exitCode;
        try
        {
            group.TryLimitMemory(limit);
            node.MayEnd();
            node.Enter(group);
            Task exited = node.WaitForExitAsync();
            TimeSpan end = scene.Clock.Now + duration;
            TimeSpan half = scene.Clock.Now + (duration / 2);
            while (!exited.IsCompleted && !stop.IsCancellationRequested && scene.Clock.Now < (group.MemoryRefusals == 0 ? end + s_patience : end))
            {
                await Task.WhenAny(exited, HoldAsync(s_look, stop));
                most = Math.Max(most, group.MemoryBytes);
                if (group.MemoryRefusals == 0 && scene.Clock.Now > half && group.MemoryBytes < limit && group.TryLimitMemory(group.MemoryBytes)) limit = group.MemoryBytes;
            }

            (refusals, kills, exitCode) = (group.MemoryRefusals, group.OutOfMemoryKills, node.ExitCode);
        }
        finally
        {
            await group.DeleteAsync();
            if (node.IsRunning) node.MayNotEnd();
            else node.Start();
        }

        return FaultBite.Of(
            $"{node.Name}; expected: it goes on, or is killed", refusals > 0 && exitCode is null or Killed, ("limit beyond what it had, in kB", limit >> 10), ("kB taken at most", most >> 10),
            ("times refused memory", refusals), ("killed by the kernel", kills), ("exit code", exitCode ?? -1));
    }
}

/// <summary>
/// A running node may open three files more than it has open, while clients connect: they are kept waiting, and what it needs for itself must not suffer. Only the soft limit is set, which
/// needs no privilege.
/// </summary>
internal sealed class DescriptorsFault() : Fault("descriptors", FaultTrack.Process, "a node may open three files more than it has open, and clients use them up", FaultNeeds.Prlimit)
{
    private const int Spare = 3;
    private const int Clients = 32;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        int id = node.ProcessId;
        long before = ProcessFacts.FileLimit(id);
        long began = scene.Clock.NowMicros;
        int most = 0;
        int limit;
        int answered;
        int? exitCode;
        List<RawClient> clients = [];
        try
        {
            node.MayEnd();
            limit = ProcessFacts.OpenFiles(id) + Spare;
            await SetLimitAsync(id, limit);
            for (int i = 0; i < Clients; i++) clients.Add(await RawClient.ConnectAsync(node.Client)); // The kernel takes them; the node is to accept them.
            foreach (RawClient client in clients) await client.SendAsync("GET /livez HTTP/1.1\r\nHost: raftkv\r\n\r\n", CancellationToken.None);
            TimeSpan end = scene.Clock.Now + duration;
            while (scene.Clock.Now < end && node.IsRunning && !stop.IsCancellationRequested)
            {
                most = Math.Max(most, ProcessFacts.OpenFiles(id));
                await HoldAsync(TimeSpan.FromMilliseconds(100), stop);
            }

            answered = clients.Count(client => client.Waiting > 0);
            exitCode = node.ExitCode;
        }
        finally
        {
            foreach (RawClient client in clients) client.Dispose();
            if (node.IsRunning)
            {
                await SetLimitAsync(id, before);
                node.MayNotEnd();
            }
            else
            {
                node.Start();
            }
        }

        return FaultBite.Of(
            $"{node.Name}, limit {limit}; expected: it goes on", most >= limit - 1 && answered < Clients && exitCode is null, ("files open at most", most), ("clients not answered", Clients - answered), ("exit code", exitCode ?? -1),
            ("leader changes meanwhile", scene.Leaders.ChangesSince(began)));
    }

    private static Task SetLimitAsync(int id, long limit) => Shell.RunAsync("prlimit", "--pid", id.ToString(CultureInfo.InvariantCulture), string.Create(CultureInfo.InvariantCulture, $"--nofile={limit}:"));
}

/// <summary>
/// A node is started again with two threads in its pool, which serve all of its clients; consensus and the log have threads of their own. Afterwards once more as always.
/// </summary>
/// <remarks>
/// What it shows is that nothing of the node's needs a third thread of the pool to go on: none waits for another one. The pool's variables are hexadecimal, and read once at the start.
/// Threads of the pool are known by the name that the runtime gives them.
/// </remarks>
internal sealed class ThreadPoolFault() : Fault("thread-pool", FaultTrack.Process, "a node has two threads only to serve all its clients")
{
    private const int Threads = 2;
    private const string WorkerName = ".NET TP Worker";
    private static readonly (string Name, string Value)[] s_variables = [("DOTNET_ThreadPool_ForceMinWorkerThreads", "1"), ("DOTNET_ThreadPool_ForceMaxWorkerThreads", $"{Threads}")];

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        int before = ProcessFacts.ThreadsNamed(node.ProcessId, WorkerName);
        int most = 0;
        bool isTold = false;
        try
        {
            await node.KillAsync();
            node.Start(["env", .. s_variables.Select(variable => $"{variable.Name}={variable.Value}")]);
            TimeSpan end = scene.Clock.Now + duration;
            while (scene.Clock.Now < end && !stop.IsCancellationRequested)
            {
                most = Math.Max(most, ProcessFacts.ThreadsNamed(node.ProcessId, WorkerName));
                await HoldAsync(TimeSpan.FromMilliseconds(100), stop);
            }

            isTold = node.IsRunning && s_variables.All(variable => ProcessFacts.HasVariable(node.ProcessId, variable.Name, variable.Value));
        }
        finally
        {
            if (node.IsRunning) await node.KillAsync();
            node.Start();
        }

        return FaultBite.Of(node.Name, isTold && most is > 0 and <= Threads, ("threads of the pool before", before), ("threads of the pool at most", most), ("variables in its environment", isTold ? s_variables.Length : 0));
    }
}
