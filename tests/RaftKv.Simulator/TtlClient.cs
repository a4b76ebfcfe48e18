using System.Text;
using RaftKv.Checking;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// Puts keys of its own with a ttl and watches them go: never early (but for the rate of the fastest clock), and in the end for certain
/// (design §9). Keys with a ttl are not in the histories that are checked for linearizability: their deletion has no client.
/// </summary>
internal sealed class TtlClient(World world, SplitMix random, int id)
{
    private const long DeadlineMicros = 2_000_000;
    private int _round;

    public void Start() => world.After(random.Below(1_000_000), Next);

    private void Next()
    {
        if (world.IsQuiet) return;
        byte[] key = Encoding.ASCII.GetBytes($"t{id}-{_round++}");
        long ttlMillis = 200 + random.Below(6_000);
        long putAt = world.Now;
        world.Trace(() => $"ttl client {id} puts {Encoding.ASCII.GetString(key)} for {ttlMillis} ms");
        SimCall.Send(world, AnyNode(), new KvRequest(KvOperation.Put, key, new byte[8], TtlMillis: (ulong)ttlMillis).Encode(), key, DeadlineMicros, told =>
        {
            if (told.Kind != OutcomeKind.Ok)
            {
                world.After(100_000, Next);
                return;
            }

            world.TtlKeysAlive++;
            Watch(key, putAt, ttlMillis);
        });
    }

    private void Watch(byte[] key, long putAt, long ttlMillis) => world.After(1 + random.Below(ttlMillis * 500), () =>
    {
        SimNode node = AnyNode();
        world.Trace(() => $"ttl client {id} asks {node.Name} for {Encoding.ASCII.GetString(key)}");
        SimCall.Send(world, node, new KvRequest(KvOperation.Get, key).Encode(), key, DeadlineMicros, told =>
        {
            if (told != RegisterOutcome.Absent)
            {
                Watch(key, putAt, ttlMillis);
                return;
            }

            long livedMicros = world.Now - putAt;
            Invariant.Holds(livedMicros * world.FastestClockPerMille / 1000 >= (ttlMillis - 1) * 1000, $"{Encoding.ASCII.GetString(key)} lived {livedMicros} µs, its ttl is {ttlMillis} ms");
            world.TtlKeysAlive--;
            Next();
        });
    });

    private SimNode AnyNode() => world.Nodes[(int)random.Below(world.Nodes.Count)];
}
