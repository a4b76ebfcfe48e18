using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// Directed links between nodes: they delay (and so reorder), drop, duplicate, corrupt and replay frames, and may be cut.
/// Frames of an earlier life of a process may still arrive: nothing may rely on connections ending with it.
/// </summary>
internal sealed class SimNetwork(World world, SplitMix random)
{
    private readonly List<(SimNode From, SimNode To, byte[] Frame)> _old = [];
    private bool[,] _cut = new bool[0, 0];

    public long Delivered { get; private set; }

    /// <summary>Frames the codec refused.</summary>
    public long Refused { get; set; }

    public void Heal() => _cut = new bool[world.Nodes.Count, world.Nodes.Count];

    public void Cut(int from, int to) => _cut[from, to] = true;

    /// <summary>Of half of the lost frames, and of half of those to a process that is down, the sender knows it.</summary>
    public SendStatus Send(SimNode from, NodeId to, byte[] frame)
    {
        SimNode target = world.NodeOf(to);
        SimOptions options = world.Options;
        bool isQuiet = world.IsQuiet;
        if (!target.IsRunning && random.Below(2) == 0) return SendStatus.Unreachable;
        if (!isQuiet && random.Chance(options.DropChance)) return (SendStatus)random.Below(3);
        Transmit(from, target, frame);
        if (isQuiet) return SendStatus.Queued;
        if (random.Chance(options.DuplicateChance)) Transmit(from, target, frame);
        if (random.Chance(options.CorruptChance)) Transmit(from, target, Corrupt(frame));
        if (!random.Chance(options.ReplayChance)) return SendStatus.Queued;
        if (_old.Count < 200) _old.Add((from, target, frame));
        else _old[(int)random.Below(_old.Count)] = (from, target, frame);
        var (oldFrom, oldTarget, oldFrame) = _old[(int)random.Below(_old.Count)];
        Transmit(oldFrom, oldTarget, oldFrame);
        return SendStatus.Queued;
    }

    /// <summary>
    /// The connections over which <paramref name="from"/> sends are gone, or there again: its peers notice, unless nothing reaches them. A process that dies
    /// closes its connections; a machine without power says nothing.
    /// </summary>
    public void TellConnections(SimNode from, bool isUp)
    {
        foreach (SimNode to in world.Nodes)
            if (to != from) TellConnection(from, to, isUp);
    }

    /// <summary>A connection breaks although both ends live, and is dialled again after a while.</summary>
    public void Reset(SimNode from, SimNode to, long backAfter)
    {
        TellConnection(from, to, isUp: false);
        world.After(backAfter, () => { if (from.IsRunning) TellConnection(from, to, isUp: true); });
    }

    private void TellConnection(SimNode from, SimNode to, bool isUp)
    {
        world.After(world.Options.NetworkBaseMicros + random.Below(world.Options.NetworkSpreadMicros), () =>
        {
            if (!_cut[from.Index, to.Index]) to.OnConnection(from, isUp);
        });
    }

    private void Transmit(SimNode from, SimNode to, byte[] frame)
    {
        SimOptions options = world.Options;
        long delay = options.NetworkBaseMicros + random.Below(options.NetworkSpreadMicros);
        // One in a thousand is late by up to two seconds.
        if (!world.IsQuiet && random.Chance(1_000)) delay += random.Below(2_000_000);
        world.After(delay, () =>
        {
            if (_cut[from.Index, to.Index]) return;
            Delivered++;
            world.Note(0x100 + (ulong)from.Index, (ulong)to.Index << 32 | (uint)frame.Length);
            to.Deliver(from, frame);
        });
    }

    private byte[] Corrupt(byte[] frame)
    {
        byte[] damaged = [.. frame];
        switch (random.Below(3))
        {
            case 0: damaged[(int)random.Below(damaged.Length)] ^= (byte)(1 << (int)random.Below(8)); break;
            case 1: damaged = damaged[..(int)random.Below(damaged.Length)]; break;
            default:
                for (int i = 0; i < 8; i++) damaged[(int)random.Below(damaged.Length)] = (byte)random.Next();
                break;
        }

        return damaged;
    }
}
