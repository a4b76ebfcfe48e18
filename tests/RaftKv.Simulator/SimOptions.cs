using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// One simulated world's parameters, all drawn from its seed (swarm testing, Groce et al. 2012): each seed leaves out some
/// faults and exaggerates others, so that together they reach states that one average mix never would. Times in µs,
/// chances in millionths.
/// </summary>
internal sealed record SimOptions
{
    public required ulong Seed { get; init; }

    public long DurationMicros { get; init; } = 60_000_000;

    public int Nodes { get; private init; }

    public int Shards { get; private init; }

    public int Replicas { get; private init; }

    public int Clients { get; private init; }

    public int Keys { get; private init; }

    public long ThinkMicros { get; private init; }

    public int ReadPercent { get; private init; }

    public int ConditionPercent { get; private init; }

    /// <summary>Writes that carry an idempotency key, and are repeated until their outcome is known.</summary>
    public int KeyedPercent { get; private init; }

    /// <summary>Clients that issue all their requests by the client library's plan.</summary>
    public int PlannedClientPercent { get; private init; }

    /// <summary>Chance that something happens to an attempt of such a client on its way.</summary>
    public int ClientTroubleChance { get; private init; }

    /// <summary>Bytes by which values are padded, at most.</summary>
    public int MaxPaddingBytes { get; private init; }

    /// <summary>Whether one node stays dead when everything else heals: the others must do without.</summary>
    public bool LeavesOneDead { get; private init; }

    /// <summary>Clients that put keys with a ttl and watch them expire.</summary>
    public int TtlClients { get; private init; }

    /// <summary>Clients whose batches, transactions and lists are on many keys.</summary>
    public int ManyKeysClients { get; private init; }

    /// <summary>For each shard; little of it forgets all the time.</summary>
    public int VersionCacheBytes { get; private init; }

    /// <summary>Rows that gather before they are written to a store; 0 writes with each commit.</summary>
    public int HeldRowBytes { get; private init; }

    public long NetworkBaseMicros { get; private init; }

    public long NetworkSpreadMicros { get; private init; }

    public int DropChance { get; private init; }

    public int DuplicateChance { get; private init; }

    public int CorruptChance { get; private init; }

    public int ReplayChance { get; private init; }

    public long SyncMicros { get; private init; }

    public long ApplyMicros { get; private init; }

    public int SlowDiskChance { get; private init; }

    public long FaultIntervalMicros { get; private init; }

    /// <summary>Relative weights of the faults, by the order of <see cref="Fault"/>; 0 leaves one out.</summary>
    public required int[] FaultWeights { get; init; }

    /// <summary>Chance that a new leader is killed while it replicates its first entries.</summary>
    public int AssassinChance { get; private init; }

    public int ClockRateSpreadPerMille { get; private init; }

    public int MaxAppendBytes { get; private init; }

    public int MaxCachedBytes { get; private init; }

    public int MaxUncommittedBytes { get; private init; }

    public long SegmentBytes { get; private init; }

    public int FlushChance { get; private init; }

    /// <summary>Entries in a group's log before it is cut, and how many the cut leaves.</summary>
    public int SnapshotEntries { get; private init; }

    public int CatchUpEntries { get; private init; }

    public int SnapshotChunkBytes { get; private init; }

    /// <summary>How often members change; there are always more nodes than replicas.</summary>
    public long MemberChangeMicros { get; private init; }

    /// <summary>Whether members change as soon as somebody leads.</summary>
    public bool ChangesHastily { get; private init; }

    /// <summary>Whether leaders may serve reads under leases; clocks then keep to the rates that these allow for.</summary>
    public bool HasLeases { get; private init; }

    /// <summary>Chance that STEP is not run for a while between its look at the clock and its work, on nodes with leases.</summary>
    public int StaleClockChance { get; private init; }

    /// <summary>How soon a group without requests goes to sleep.</summary>
    public long HibernateAfterMicros { get; private init; }

    /// <param name="theme">The theme instead of a drawn one: to look for something rare where it is less so.</param>
    public static SimOptions Draw(ulong seed, long durationMicros, SimTheme? theme = null)
    {
        SplitMix random = new SplitMix(seed).Fork(1);
        SplitMix planning = new SplitMix(seed).Fork(11);
        int nodes = Pick(random, 2, 4, 4, 4, 4, 5, 5, 5, 6, 6);
        int[] weights = new int[Enum.GetValues<Fault>().Length];
        // The full disks have a theme of their own: drawn here, they would shift what older seeds do.
        for (int i = 0; i < (int)Fault.FillDisk; i++) weights[i] = random.Chance(600_000) ? 1 + (int)random.Below(4) : 0;
        weights[(int)Fault.RotLog] = Pick(new SplitMix(seed).Fork(12), 0, 0, 1, 4);
        SimOptions drawn = new()
        {
            Seed = seed,
            DurationMicros = durationMicros,
            Nodes = nodes,
            Shards = Pick(random, 1, 1, 1, 2, 4),
            Replicas = nodes == 2 ? 1 : nodes == 6 ? Pick(random, 3, 5) : 3,
            Clients = 2 + (int)random.Below(6),
            Keys = 1 + (int)random.Below(6),
            ThinkMicros = Pick(random, 5_000, 50_000, 100_000, 300_000),
            ReadPercent = Pick(random, 20, 50, 80),
            ConditionPercent = Pick(random, 0, 20, 60),
            KeyedPercent = Pick(random, 0, 30, 100),
            PlannedClientPercent = Pick(planning, 0, 50, 100),
            ClientTroubleChance = Pick(planning, 0, 20_000, 200_000),
            TtlClients = Pick(random, 0, 1, 2),
            MaxPaddingBytes = Pick(random, 0, 0, 0, 2_000, 60_000),
            LeavesOneDead = Pick(random, 0, 0, 1) == 1,
            NetworkBaseMicros = Pick(random, 50, 500, 5_000, 20_000),
            NetworkSpreadMicros = Pick(random, 100, 2_000, 20_000, 60_000),
            DropChance = Pick(random, 0, 0, 10_000, 100_000, 200_000),
            DuplicateChance = Pick(random, 0, 0, 20_000, 200_000),
            CorruptChance = Pick(random, 0, 0, 5_000),
            ReplayChance = Pick(random, 0, 0, 5_000, 30_000),
            SyncMicros = Pick(random, 100, 1_000, 10_000, 60_000),
            ApplyMicros = Pick(random, 20, 500, 5_000, 100_000),
            SlowDiskChance = Pick(random, 0, 0, 2_000, 20_000),
            FaultIntervalMicros = Pick(random, 300_000, 1_000_000, 3_000_000, 8_000_000),
            FaultWeights = weights,
            AssassinChance = Pick(random, 0, 0, 0, 300_000, 900_000),
            ClockRateSpreadPerMille = Pick(random, 0, 0, 10, 100, 500),
            MaxAppendBytes = Pick(random, 1, 300, 4_096, 262_144),
            MaxCachedBytes = Pick(random, 0, 1_000, 100_000),
            MaxUncommittedBytes = Pick(random, 2_000, 100_000, 16_000_000),
            SegmentBytes = Pick(random, 32_768, 262_144, 4_194_304),
            FlushChance = Pick(random, 0, 20_000, 200_000),
            SnapshotEntries = Pick(random, 5, 20, 100, 1_000, 100_000),
            CatchUpEntries = Pick(random, 0, 3, 30),
            SnapshotChunkBytes = Pick(random, 4_000, 20_000, 500_000),
            MemberChangeMicros = Pick(random, 300_000, 1_000_000, 4_000_000, 15_000_000),
            HibernateAfterMicros = Pick(random, 1, 50_000, 200_000, 1_000_000, 100_000_000),
            VersionCacheBytes = Pick(new SplitMix(seed).Fork(3), 0, 400, 2_000, 1_000_000),
            HeldRowBytes = Pick(new SplitMix(seed).Fork(4), 0, 300, 2_000, 64 * 1024),
            ManyKeysClients = Pick(new SplitMix(seed).Fork(2), 0, 1, 3),
        };
        if (drawn.MaxPaddingBytes > 10_000) drawn = drawn with { SnapshotChunkBytes = 500_000 };
        int die = (int)random.Below(12);
        SimTheme chosen = theme ?? (SimTheme)die;
        SimOptions world = drawn.Within(chosen, random);
        SplitMix leases = new SplitMix(seed).Fork(5);
        bool hasLeases = chosen == SimTheme.Leases || (chosen != SimTheme.StaleLeaders && leases.Chance(250_000));
        return hasLeases ? world.WithLeases(leases) : world;
    }

    private SimOptions Within(SimTheme theme, SplitMix random)
    {
        SimOptions drawn = this;
        return theme switch
        {
            SimTheme.Figure8 => drawn.LikeFigure8(random),
            SimTheme.StaleLeaders => drawn.WithStaleLeaders(random),
            SimTheme.SlowDisks => drawn.WithSlowDisks(random),
            SimTheme.SlowApply => drawn.WithSlowApply(random),
            SimTheme.Sleepers => drawn.WithSleepers(random),
            SimTheme.Snapshots => drawn.WithSnapshots(random),
            SimTheme.Members => drawn.WithManyMemberChanges(random),
            SimTheme.ForgottenSleepers => drawn.WithForgottenSleepers(random),
            SimTheme.FullDisks => drawn.WithFullDisks(random),
            SimTheme.RottenLogs => drawn.WithRottenLogs(random),
            SimTheme.HastyChanges => drawn.WithHastyChanges(random),
            SimTheme.Leases => drawn.WithReadsOfOldLeaders(random),
            _ => drawn,
        };
    }

    /// <summary>Leaders die while their first entries are on their way, one entry to a message: the paper's figure 8 and its kin.</summary>
    private SimOptions LikeFigure8(SplitMix random) => this with
    {
        Nodes = 6,
        Replicas = 5,
        MemberChangeMicros = 15_000_000,
        Shards = 1,
        ReadPercent = 20,
        ThinkMicros = 20_000,
        MaxAppendBytes = 1,
        AssassinChance = 900_000,
        NetworkBaseMicros = Pick(random, 500, 5_000),
        NetworkSpreadMicros = 20_000,
        DropChance = Pick(random, 0, 50_000, 200_000),
        SyncMicros = Pick(random, 1_000, 10_000),
        FaultIntervalMicros = 3_000_000,
        FaultWeights = Only((Fault.PartitionHalves, 2), (Fault.PartitionBridge, 1), (Fault.RestartAtOnce, 1)),
    };

    /// <summary>Leaders are cut off and their clocks crawl, so that they believe in themselves for long, while clients go on asking them.</summary>
    private SimOptions WithStaleLeaders(SplitMix random) => this with
    {
        Nodes = Math.Max(4, Nodes),
        Replicas = 3,
        Shards = 1,
        Keys = 2,
        ReadPercent = 50,
        ThinkMicros = 20_000,
        NetworkBaseMicros = Pick(random, 50, 500),
        NetworkSpreadMicros = 2_000,
        SyncMicros = 1_000,
        ApplyMicros = 500,
        FaultIntervalMicros = 2_000_000,
        FaultWeights = Only((Fault.IsolateSlowLeader, 4), (Fault.IsolateLeader, 1), (Fault.PauseLeader, 1), (Fault.PartitionOneWay, 1)),
    };

    /// <summary>Disks stall for long while leaders change: what was being written is replaced before it is on disk.</summary>
    private SimOptions WithSlowDisks(SplitMix random) => this with
    {
        Nodes = Math.Max(4, Nodes),
        Replicas = 3,
        ReadPercent = 20,
        ThinkMicros = 20_000,
        NetworkBaseMicros = Pick(random, 50, 500),
        SyncMicros = Pick(random, 10_000, 60_000),
        SlowDiskChance = Pick(random, 20_000, 200_000),
        ApplyMicros = 500,
        FlushChance = 200_000,
        AssassinChance = Pick(random, 0, 300_000),
        FaultIntervalMicros = 1_000_000,
        FaultWeights = Only((Fault.IsolateLeader, 3), (Fault.PauseLeader, 3), (Fault.KillLeader, 2), (Fault.SlowDisk, 2), (Fault.PartitionHalves, 1)),
    };

    /// <summary>State lags far behind what is committed, also on new leaders, while clients read: every read must wait for its index.</summary>
    private SimOptions WithSlowApply(SplitMix random) => this with
    {
        Nodes = 4,
        Replicas = 3,
        Shards = 1,
        Keys = 2,
        Clients = 8,
        ReadPercent = 50,
        ThinkMicros = 10_000,
        NetworkBaseMicros = 50,
        NetworkSpreadMicros = 500,
        DropChance = 0,
        SyncMicros = 100,
        ApplyMicros = Pick(random, 100_000, 400_000),
        MaxAppendBytes = 262_144,
        FaultIntervalMicros = 2_000_000,
        FaultWeights = Only((Fault.KillLeader, 3), (Fault.PauseLeader, 1), (Fault.IsolateLeader, 1)),
    };

    /// <summary>Little to do: groups sleep most of the time, and their leaders' nodes die meanwhile, one of them for good.</summary>
    private SimOptions WithSleepers(SplitMix random) => this with
    {
        Nodes = Math.Max(4, Nodes),
        Replicas = 3,
        Shards = 4,
        Keys = 6,
        Clients = 2,
        ThinkMicros = 3_000_000,
        LeavesOneDead = true,
        HibernateAfterMicros = Pick(random, 1, 300_000),
        DropChance = 0,
        NetworkBaseMicros = Pick(random, 50, 500),
        NetworkSpreadMicros = 2_000,
        SlowDiskChance = 0,
        ApplyMicros = 500,
        FaultIntervalMicros = Pick(random, 3_000_000, 20_000_000),
        FaultWeights = Only((Fault.KillLeader, 3), (Fault.PauseLeader, 1), (Fault.RestartAtOnce, 1), (Fault.IsolateLeader, 1), (Fault.HangDiskOfLeader, 1)),
    };

    /// <summary>Leaders that sleep are cut off, replaced and removed meanwhile, and come back to a group that sleeps under another.</summary>
    private SimOptions WithForgottenSleepers(SplitMix random) => WithSleepers(random) with
    {
        LeavesOneDead = false,
        HibernateAfterMicros = 1,
        MemberChangeMicros = Pick(random, 1_500_000, 4_000_000),
        FaultIntervalMicros = 3_000_000,
        FaultWeights = Only((Fault.IsolateLeader, 4), (Fault.PauseLeader, 1)),
    };

    /// <summary>Logs are cut after every few entries, also on followers that come back from a short absence: snapshots all the time.</summary>
    private SimOptions WithSnapshots(SplitMix random) => this with
    {
        Nodes = Math.Max(4, Nodes),
        Replicas = 3,
        ReadPercent = 20,
        ThinkMicros = 10_000,
        MaxPaddingBytes = Pick(random, 0, 2_000),
        NetworkBaseMicros = Pick(random, 50, 500, 5_000),
        NetworkSpreadMicros = Pick(random, 100, 20_000),
        ApplyMicros = Pick(random, 20, 5_000),
        SnapshotEntries = Pick(random, 2, 5, 20),
        CatchUpEntries = Pick(random, 0, 3),
        FlushChance = 200_000,
        FaultIntervalMicros = Pick(random, 300_000, 1_000_000),
        FaultWeights = Only((Fault.KillNode, 2), (Fault.KillLeader, 1), (Fault.IsolateNode, 2), (Fault.IsolateLeader, 2), (Fault.PartitionHalves, 1), (Fault.CrashInDiskOperation, 2), (Fault.SlowDisk, 1)),
    };

    /// <summary>Members change all the time, and whoever leads is cut off with a change that only it has in its log.</summary>
    private SimOptions WithManyMemberChanges(SplitMix random) => this with
    {
        Nodes = Seed % 4 == 0 ? 2 : 4 + (int)(Seed % 3),
        Replicas = Seed % 4 == 0 ? 1 : 3,
        ReadPercent = 20,
        ThinkMicros = 20_000,
        NetworkBaseMicros = Pick(random, 500, 5_000),
        NetworkSpreadMicros = Pick(random, 2_000, 20_000),
        SyncMicros = Pick(random, 1_000, 10_000),
        ApplyMicros = Pick(random, 20, 5_000),
        MemberChangeMicros = Pick(random, 50_000, 200_000),
        SnapshotEntries = Pick(random, 5, 100, 100_000),
        HibernateAfterMicros = 100_000_000,
        AssassinChance = Pick(random, 0, 300_000),
        FaultIntervalMicros = Pick(random, 300_000, 1_000_000, 3_000_000),
        FaultWeights = Only((Fault.IsolateLeader, 3), (Fault.KillLeader, 2), (Fault.PartitionHalves, 2), (Fault.PartitionBridge, 1), (Fault.KillNode, 1), (Fault.PauseLeader, 1), (Fault.IsolateNode, 1)),
    };

    /// <summary>Disks fill up and are emptied again: leaders must take no puts meanwhile, and everything else.</summary>
    private SimOptions WithFullDisks(SplitMix random) => this with
    {
        Nodes = Math.Max(4, Nodes),
        Replicas = 3,
        ReadPercent = 30,
        ThinkMicros = 20_000,
        NetworkBaseMicros = Pick(random, 50, 5_000),
        NetworkSpreadMicros = 2_000,
        ApplyMicros = Pick(random, 20, 5_000),
        SnapshotEntries = Pick(random, 5, 100, 100_000),
        SegmentBytes = 32_768,
        FaultIntervalMicros = Pick(random, 1_000_000, 3_000_000),
        FaultWeights = Only((Fault.FillDiskOfLeader, 4), (Fault.FillDisk, 2), (Fault.KillLeader, 1), (Fault.KillNode, 1), (Fault.IsolateLeader, 1), (Fault.TransferLeadership, 1), (Fault.CrashInDiskOperation, 1)),
    };

    /// <summary>Logs rot, in small segments that come and go; mostly harmlessly at first, until a node refuses to start and the others go on without it.</summary>
    private SimOptions WithRottenLogs(SplitMix random) => this with
    {
        Nodes = Math.Max(4, Nodes),
        Replicas = 3,
        LeavesOneDead = false,
        ReadPercent = 20,
        ThinkMicros = 20_000,
        NetworkBaseMicros = Pick(random, 50, 500),
        NetworkSpreadMicros = 2_000,
        SyncMicros = Pick(random, 100, 1_000, 10_000),
        ApplyMicros = Pick(random, 20, 5_000),
        SnapshotEntries = Pick(random, 5, 100, 100_000),
        SegmentBytes = Pick(random, 32_768, 262_144),
        FaultIntervalMicros = Pick(random, 1_000_000, 3_000_000, 8_000_000),
        FaultWeights = Only((Fault.RotLog, 4), (Fault.KillLeader, 1), (Fault.CutPower, 1), (Fault.CutPowerOfAll, 1), (Fault.CrashInDiskOperation, 1), (Fault.FailSync, 1), (Fault.IsolateNode, 1)),
    };

    /// <summary>Whoever begins to lead changes members at once, and dies: adds of several terms, each in another log, and all of replicas on one node.</summary>
    private SimOptions WithHastyChanges(SplitMix random) => this with
    {
        Nodes = 4,
        Replicas = 3,
        Shards = 1,
        ReadPercent = 20,
        ThinkMicros = 20_000,
        MaxAppendBytes = 1,
        ChangesHastily = true,
        MemberChangeMicros = 50_000,
        AssassinChance = Pick(random, 500_000, 900_000),
        NetworkBaseMicros = Pick(random, 500, 5_000),
        NetworkSpreadMicros = 20_000,
        DropChance = Pick(random, 100_000, 300_000),
        SyncMicros = Pick(random, 1_000, 10_000),
        ApplyMicros = 500,
        SnapshotEntries = 100_000,
        HibernateAfterMicros = 100_000_000,
        FaultIntervalMicros = Pick(random, 500_000, 2_000_000),
        FaultWeights = Only((Fault.PartitionHalves, 2), (Fault.IsolateLeader, 2), (Fault.RestartAtOnce, 1)),
    };

    /// <summary>Clients read of leaders that are cut off, paused, handing over or replaced by voters that have just started again.</summary>
    private SimOptions WithReadsOfOldLeaders(SplitMix random) => this with
    {
        Nodes = 4,
        Replicas = 3,
        Shards = 1,
        Clients = 8,
        Keys = 2,
        ReadPercent = Pick(random, 60, 99), // Only a log that lacks nothing is voted for: sometimes there must be little to lack.
        ThinkMicros = Pick(random, 5_000, 50_000),
        NetworkBaseMicros = Pick(random, 50, 500, 5_000),
        NetworkSpreadMicros = Pick(random, 500, 20_000),
        DropChance = 0,
        SyncMicros = Pick(random, 100, 1_000),
        ApplyMicros = Pick(random, 20, 500),
        SlowDiskChance = 0,
        MemberChangeMicros = 15_000_000,
        FaultIntervalMicros = Pick(random, 500_000, 4_000_000),
        FaultWeights = Only((Fault.IsolateLeader, 3), (Fault.PauseLeader, 3), (Fault.TransferLeadership, 3), (Fault.PartitionOneWay, 3), (Fault.PartitionBridge, 2), (Fault.HandOverAndIsolate, 3), (Fault.RestartVotersUnderLeader, 3), (Fault.KillLeader, 1), (Fault.ResetConnections, 1)),
    };

    private SimOptions WithLeases(SplitMix random)
    {
        int[] weights = [.. FaultWeights];
        weights[(int)Fault.ChangeClockRate] = weights[(int)Fault.IsolateSlowLeader] = 0;
        return this with { HasLeases = true, ClockRateSpreadPerMille = Math.Min(40, ClockRateSpreadPerMille), FaultWeights = weights, StaleClockChance = Pick(random, 0, 1_000, 10_000) };
    }

    private static int[] Only(params ReadOnlySpan<(Fault Fault, int Weight)> faults)
    {
        int[] weights = new int[Enum.GetValues<Fault>().Length];
        foreach (var (fault, weight) in faults) weights[(int)fault] = weight;
        return weights;
    }

    public string Describe() =>
        $"seed {Seed}: {Nodes} nodes, {Shards} shards × {Replicas}, {Clients} clients ({PlannedClientPercent} % by plan, trouble {ClientTroubleChance} ppm) on {Keys} keys and {ManyKeysClients} on many, {DurationMicros / 1_000_000} s; " +
        $"network {NetworkBaseMicros}+{NetworkSpreadMicros} µs, drop {DropChance}, duplicate {DuplicateChance}, replay {ReplayChance}, corrupt {CorruptChance} ppm; " +
        $"sync {SyncMicros} µs, slow {SlowDiskChance} ppm, apply {ApplyMicros} µs; append {MaxAppendBytes} B, cache {MaxCachedBytes} B, uncommitted {MaxUncommittedBytes} B, segment {SegmentBytes} B, log {SnapshotEntries} entries and {CatchUpEntries}, chunk {SnapshotChunkBytes} B; " +
        $"clock ±{ClockRateSpreadPerMille} ‰{(HasLeases ? ", leases" : "")}; assassin {AssassinChance} ppm; a fault every {FaultIntervalMicros / 1000} ms of " +
        string.Join(' ', Enum.GetValues<Fault>().Where(fault => FaultWeights[(int)fault] > 0));

    private static int Pick(SplitMix random, params ReadOnlySpan<int> choices) => choices[(int)random.Below(choices.Length)];
}

/// <summary>What a world is about; numbers above are worlds about nothing in particular.</summary>
internal enum SimTheme
{
    Figure8,
    StaleLeaders,
    SlowDisks,
    SlowApply,
    Sleepers,
    Snapshots,
    Members,
    HastyChanges,

    /// <summary>Behind a gap: seeds that are noted for something draw what lies there.</summary>
    FullDisks = 9,
    RottenLogs = 10,

    /// <summary>Never drawn, only asked for; so are those behind it.</summary>
    ForgottenSleepers = 12,
    Leases = 14,
}

/// <summary>What the nemesis does to the world.</summary>
internal enum Fault
{
    KillNode,
    KillLeader,
    CutPower,
    CutPowerOfMajority,
    CutPowerOfAll,
    CrashInDiskOperation,
    RestartAtOnce,
    Pause,
    PauseLeader,
    IsolateNode,
    IsolateLeader,
    IsolateSlowLeader,
    PartitionHalves,
    PartitionOneWay,
    PartitionBridge,
    PartitionRing,
    SlowDisk,
    ChangeClockRate,
    FailSync,
    WipeDisk,
    HangDisk,
    HangDiskOfLeader,
    StopNode,
    StopLeader,
    TransferLeadership,
    ResetConnections,
    RotStore,
    FillDisk,
    FillDiskOfLeader,
    RotLog,

    /// <summary>A leader is cut off as soon as it has told another to take over: it does not hear how that went.</summary>
    HandOverAndIsolate,

    /// <summary>One member does not hear the leader, and those that do restart again and again: will they help it?</summary>
    RestartVotersUnderLeader,
}
