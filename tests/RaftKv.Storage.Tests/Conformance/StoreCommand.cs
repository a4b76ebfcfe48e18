using FsCheck;
using FsCheck.Fluent;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.OrderedStores;

/// <summary>One step of a generated conformance run.</summary>
public abstract record StoreCommand
{
    /// <param name="Rows">In order; a null value deletes the key.</param>
    public sealed record Write(IReadOnlyList<(byte[] Key, byte[]? Value)> Rows) : StoreCommand
    {
        public override string ToString() => "Write " + string.Join(" ", Rows.Select(row => $"{Hex(row.Key)}={(row.Value is null ? "-" : Hex(row.Value))}"));
    }

    public sealed record Get(byte[] Key) : StoreCommand
    {
        public override string ToString() => $"Get {Hex(Key)}";
    }

    public sealed record Scan(byte[] Start, byte[] End) : StoreCommand
    {
        public override string ToString() => $"Scan [{Hex(Start)}, {Hex(End)})";
    }

    /// <summary>Opens a cursor; the previous one, if any, is first compared with the rows of when it was opened.</summary>
    public sealed record HoldCursor(byte[] End) : StoreCommand
    {
        public override string ToString() => $"HoldCursor {Hex(End)}";
    }

    public sealed record Flush : StoreCommand;

    /// <summary>Flush, dispose, open again.</summary>
    public sealed record Reopen : StoreCommand;

    /// <summary>Adds the rows of a write to an empty batch.</summary>
    public static void Fill(WriteBatch batch, Write write)
    {
        foreach ((byte[] key, byte[]? value) in write.Rows)
        {
            if (value is null) batch.Delete(key);
            else batch.Put(key, value);
        }
    }

    /// <summary>Runs of up to 40 commands over few short keys, so that they collide; shrinks by leaving out commands.</summary>
    public static Arbitrary<StoreCommand[]> Runs()
    {
        Gen<byte[]> bytes = Bytes(from: 0);
        Gen<byte[]> keys = Bytes(from: 1);
        Gen<byte[]?> values = Gen.Frequency<byte[]?>(
            (3, Gen.Constant<byte[]?>(null)), (6, bytes.Select(value => (byte[]?)value)), (1, Gen.Choose(0, 9000).Select(length => (byte[]?)new byte[length])));
        Gen<(byte[], byte[]?)> rows = from key in keys from value in values select (key, value);
        Gen<StoreCommand> commands = Gen.Frequency<StoreCommand>(
            (8, from count in Gen.Choose(0, 6) from batch in rows.ArrayOf(count) select (StoreCommand)new Write(batch)),
            (6, keys.Select(key => (StoreCommand)new Get(key))),
            (4, from start in bytes from end in bytes select (StoreCommand)new Scan(start, end)),
            (2, bytes.Select(end => (StoreCommand)new HoldCursor(end))),
            (2, Gen.Constant<StoreCommand>(new Flush())),
            (1, Gen.Constant<StoreCommand>(new Reopen())));
        Gen<StoreCommand[]> runs = from count in Gen.Choose(1, 40) from run in commands.ArrayOf(count) select run;
        return Arb.From(runs, Shrink);
    }

    private static Gen<byte[]> Bytes(int from) =>
        from length in Gen.Choose(@from, 3)
        from bytes in Gen.Elements<byte>(0x00, 0x01, 0x61, 0x7F, 0x80, 0xFF).ArrayOf(length)
        select bytes;

    private static IEnumerable<StoreCommand[]> Shrink(StoreCommand[] run)
    {
        for (int cut = run.Length / 2; cut >= 1; cut /= 2)
        {
            for (int start = 0; start + cut <= run.Length; start += cut)
                yield return [.. run[..start], .. run[(start + cut)..]];
        }
    }

    private static string Hex(byte[] bytes) => bytes.Length <= 8 ? Convert.ToHexString(bytes) : $"{bytes.Length} bytes";
}
