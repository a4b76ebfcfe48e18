using System.Globalization;
using System.Text;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Benchmarks;

/// <summary>What the benchmarks share: puts of 256 bytes to one of 100,000 keys.</summary>
internal static class Some
{
    public const int ValueBytes = 256;
    private const int Keys = 100_000;

    /// <summary>Where every shard begins.</summary>
    public static readonly LogIndex Birth = new(10);
    public static readonly Term BirthTerm = new(5);
    public static readonly Term Term = new(6);
    public static readonly GroupId Group = new(1);
    public static readonly ReplicaId Replica = new(1);

    public static byte[][] Puts(int count, Random random)
    {
        byte[][] puts = new byte[count][];
        for (int i = 0; i < count; i++)
        {
            byte[] value = new byte[ValueBytes];
            random.NextBytes(value);
            puts[i] = new KvRequest(KvOperation.Put, Encoding.ASCII.GetBytes(random.Next(Keys).ToString("bench-0000000000", CultureInfo.InvariantCulture)), value).Encode();
        }

        return puts;
    }

    public static Entry Entry(LogIndex index, ReadOnlyMemory<byte> payload) => new(index, Term, EntryKind.Command, 0, 0, 0, payload);
}
