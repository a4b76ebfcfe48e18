using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>Injects the seed's mix of faults, each healed after a while; faults overlap.</summary>
internal sealed class Nemesis(World world, SplitMix random)
{
    public const long FastestClockPerMille = 3_100;
    private readonly int _totalWeight = world.Options.FaultWeights.Sum();
    private long _votersRestartUntil;

    public void Start()
    {
        if (_totalWeight > 0) Later();
    }

    /// <summary>In some worlds leaders live dangerously: killed about when their first entries reach the first followers (figure 8).</summary>
    public void OnElected(SimNode leader)
    {
        SimOptions options = world.Options;
        if (world.IsQuiet || !random.Chance(options.AssassinChance)) return;
        long delay = random.Below(4 * (options.NetworkBaseMicros + options.NetworkSpreadMicros + options.SyncMicros));
        world.After(delay, () =>
        {
            if (!world.IsQuiet) Crash(leader, cutPower: random.Chance(300_000));
        });
    }

    private void Later() => world.After(1 + random.Below(2 * world.Options.FaultIntervalMicros), () =>
    {
        if (world.IsQuiet) return;
        Inject(Draw());
        Later();
    });

    private Fault Draw()
    {
        long drawn = random.Below(_totalWeight);
        for (int i = 0; ; i++)
        {
            drawn -= world.Options.FaultWeights[i];
            if (drawn < 0) return (Fault)i;
        }
    }

    private void Inject(Fault fault)
    {
        world.Trace(() => $"nemesis: {fault}");
        world.CountFault(fault);
        SimNode node = world.Nodes[(int)random.Below(world.Nodes.Count)];
        switch (fault)
        {
            case Fault.KillNode: Crash(node, cutPower: false); break;
            case Fault.KillLeader: Crash(Leader() ?? node, cutPower: random.Chance(500_000)); break;
            case Fault.CutPower: Crash(node, cutPower: true); break;
            case Fault.CutPowerOfMajority: CrashSome(world.Nodes.Count / 2 + 1); break;
            case Fault.CutPowerOfAll: CrashSome(world.Nodes.Count); break;
            case Fault.CrashInDiskOperation: node.CrashInNextDiskOperations((int)random.Below(20)); break;
            case Fault.RestartAtOnce:
                node.Crash(cutPower: random.Chance(500_000));
                if (!node.IsRunning) node.Start();
                break;
            case Fault.Pause: node.PauseFor(random.Below(3_000_000)); break;
            case Fault.PauseLeader: (Leader() ?? node).PauseFor(random.Below(3_000_000)); break;
            case Fault.SlowDisk: node.SlowDiskFor(random.Below(5_000_000)); break;
            case Fault.HangDisk: node.HangDiskFor(random.Below(30_000_000)); break;
            case Fault.HangDiskOfLeader: (Leader() ?? node).HangDiskFor(random.Below(10_000_000)); break;
            case Fault.StopNode: node.Stop(restartAfter: random.Below(2_000_000)); break;
            case Fault.StopLeader: (Leader() ?? node).Stop(restartAfter: random.Below(2_000_000)); break;
            case Fault.TransferLeadership: (Leader() ?? node).TransferLeaderships(); break;
            case Fault.WipeDisk: world.TryWipe(node); break;
            case Fault.RotStore: world.TryRot(node, random); break;
            case Fault.RotLog:
                if (random.Chance(700_000)) Crash(node, cutPower: random.Chance(500_000));
                world.TryRotLog(node, random);
                break;
            case Fault.ResetConnections:
                SimNode resets = random.Chance(500_000) ? Leader() ?? node : node;
                foreach (SimNode peer in world.Nodes)
                    if (peer != resets && random.Chance(700_000)) world.Network.Reset(resets, peer, backAfter: random.Below(400_000));
                break;
            case Fault.FailSync: node.FailNextSync(); break;
            case Fault.FillDisk: node.FillDiskFor(random.Below(10_000_000)); break;
            case Fault.FillDiskOfLeader: (Leader() ?? node).FillDiskFor(random.Below(10_000_000)); break;
            case Fault.ChangeClockRate: node.RunClockAt(perMille: 100 + random.Below(FastestClockPerMille - 100), forMicros: random.Below(8_000_000)); break;
            case Fault.HandOverAndIsolate:
                SimNode old = Leader() ?? node;
                old.TransferLeaderships();
                world.After(random.Below(30_000), () => Partition(Fault.IsolateNode, old));
                break;
            case Fault.RestartVotersUnderLeader: RestartVotersUnder(Leader() ?? node, node); break;
            default: Partition(fault, node); break;
        }
    }

    /// <summary>The leader's connections to one member are cut, and the others restart one by one.</summary>
    private void RestartVotersUnder(SimNode leader, SimNode deaf)
    {
        if (world.Now < _votersRestartUntil || leader == deaf || deaf.Group(new GroupId(1)) is null) return;
        _votersRestartUntil = world.Now + 3_000_000;
        world.Network.Heal();
        CutBoth(leader.Index, deaf.Index);
        for (long at = 0; at < 3_000_000; at += 20_000 + random.Below(60_000))
        {
            SimNode voter = world.Nodes[(int)random.Below(world.Nodes.Count)];
            world.After(at, () =>
            {
                // The deaf one has made it: now let the old leader not hear of it.
                if (deaf.Group(new GroupId(1)) is { Role: Role.Leader }) Partition(Fault.IsolateNode, leader);
                if (voter == leader || voter == deaf || world.IsQuiet) return;
                voter.Crash(cutPower: false);
                if (!voter.IsRunning) voter.Start();
            });
        }
    }

    private void CrashSome(int count)
    {
        int first = (int)random.Below(world.Nodes.Count);
        for (int i = 0; i < count; i++) Crash(world.Nodes[(first + i) % world.Nodes.Count], cutPower: true);
    }

    private void Crash(SimNode node, bool cutPower)
    {
        if (!node.IsRunning) return;
        node.Crash(cutPower);
        long downtime = random.Chance(300_000) ? random.Below(10_000) : random.Below(5_000_000);
        world.After(downtime, () => { if (!node.IsRunning) node.Start(); });
    }

    private void Partition(Fault fault, SimNode node)
    {
        int count = world.Nodes.Count;
        SimNetwork network = world.Network;
        network.Heal();
        switch (fault)
        {
            case Fault.IsolateNode: Isolate(node.Index); break;
            case Fault.IsolateLeader: Isolate((Leader() ?? node).Index); break;
            case Fault.IsolateSlowLeader:
                SimNode leader = Leader() ?? node;
                leader.RunClockAt(perMille: 100, forMicros: random.Below(8_000_000));
                Isolate(leader.Index);
                break;
            case Fault.PartitionHalves:
                int[] shuffled = Shuffled();
                for (int i = 0; i < count / 2; i++)
                    for (int j = count / 2; j < count; j++) CutBoth(shuffled[i], shuffled[j]);
                break;
            case Fault.PartitionOneWay:
                for (int other = 0; other < count; other++)
                    if (random.Chance(600_000)) network.Cut(node.Index, other);
                break;
            case Fault.PartitionBridge:
                // Two halves that only one node can reach both of.
                int[] order = Shuffled();
                for (int i = 0; i < count / 2; i++)
                    for (int j = count / 2 + 1; j < count; j++) CutBoth(order[i], order[j]);
                break;
            case Fault.PartitionRing:
                // Every node sees a majority, no two the same one.
                for (int i = 0; i < count; i++)
                    for (int j = 0; j < count; j++)
                        if (i != j && (i + 1) % count != j && (j + 1) % count != i) network.Cut(i, j);
                break;
            default: Invariant.Holds(false, $"no such fault: {fault}"); break;
        }

        world.After(100_000 + random.Below(8_000_000), network.Heal);
    }

    private void Isolate(int node)
    {
        for (int other = 0; other < world.Nodes.Count; other++)
            if (other != node) CutBoth(node, other);
    }

    private void CutBoth(int left, int right)
    {
        world.Network.Cut(left, right);
        world.Network.Cut(right, left);
    }

    /// <summary>The node that leads some group, of the newest term if several believe so.</summary>
    private SimNode? Leader()
    {
        GroupId group = new(1 + (ulong)random.Below(world.Options.Shards));
        SimNode? leader = null;
        foreach (SimNode node in world.Nodes)
            if (node.Group(group) is { Role: Role.Leader } found && (leader is null || found.Term > leader.Group(group)!.Term)) leader = node;
        return leader;
    }

    private int[] Shuffled()
    {
        int[] order = [.. Enumerable.Range(0, world.Nodes.Count)];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = (int)random.Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}
