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

    /// <summary>False: the frame is lost, and the sender knows; so it is with half of the lost ones, and half of those to a process that is down.</summary>
    public bool Send(SimNode from, NodeId to, byte[] frame)
    {
        SimNode target = world.NodeOf(to);
        SimOptions options = world.Options;
        bool isQuiet = world.IsQuiet;
        if (!target.IsRunning && random.Below(2) == 0) return false;
        if (!isQuiet && random.Chance(options.DropChance)) return random.Below(2) == 0;
        Transmit(from, target, frame);
        if (isQuiet) return true;
        if (random.Chance(options.DuplicateChance)) Transmit(from, target, frame);
        if (random.Chance(options.CorruptChance)) Transmit(from, target, Corrupt(frame));
        if (!random.Chance(options.ReplayChance)) return true;
        if (_old.Count < 200) _old.Add((from, target, frame));
        else _old[(int)random.Below(_old.Count)] = (from, target, frame);
        var (oldFrom, oldTarget, oldFrame) = _old[(int)random.Below(_old.Count)];
        Transmit(oldFrom, oldTarget, oldFrame);
        return true;
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
