using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>
/// What became of a write with an idempotency key, so that a repetition within the window answers the first result instead of
/// being applied again. It hangs on its user key, so that splits and merges carry it (design §9).
/// </summary>
/// <param name="Fingerprint">XXH64 of the whole encoded request; another request under the same key is refused.</param>
/// <param name="DeadlineMillis">The shard time at which it expires.</param>
/// <remarks>
/// <code>
/// fingerprint u64 | deadline ms u64 | index u64 | term u64 | error code (text, empty = none) | revision u64 | prev revision u64
/// | created u64 | version u64 | existed u8
/// </code>
/// </remarks>
internal sealed record DedupRecord(ulong Fingerprint, ulong DeadlineMillis, LogIndex Index, Term Term, KvApplied Result)
{
    public void Write(ByteWriter writer)
    {
        writer.U64(Fingerprint);
        writer.U64(DeadlineMillis);
        writer.U64(Index.Value);
        writer.U64(Term.Value);
        writer.Text(Result.Error?.Code ?? "");
        writer.U64(Result.Revision);
        writer.U64(Result.PrevRevision);
        writer.U64(Result.Created);
        writer.U64(Result.Version);
        writer.U8(Result.Existed ? (byte)1 : (byte)0);
    }

    public static DedupRecord Read(byte[] bytes, ShardEpoch epoch)
    {
        ByteReader reader = new(bytes);
        ulong fingerprint = reader.U64();
        ulong deadline = reader.U64();
        LogIndex index = new(reader.U64());
        Term term = new(reader.U64());
        string error = reader.Text();
        KvApplied result = new(error.Length == 0 ? null : ErrorCode.Find(error), reader.U64(), reader.U64(), reader.U64(), reader.U64(), reader.U8() != 0, epoch);
        return new DedupRecord(fingerprint, deadline, index, term, result);
    }
}

/// <summary>Idempotency keys that carry their time.</summary>
public static class IdempotencyKey
{
    /// <summary>
    /// The Unix time in milliseconds of a UUIDv7 (RFC 9562 §5.7) in its canonical 36-character form, or null when the key is anything else:
    /// then it is opaque, and protected inside the window only.
    /// </summary>
    public static ulong? TimestampMillis(ReadOnlySpan<byte> key)
    {
        // Digit by digit: this is decided at apply, on every replica alike, so it may not hang on a parser's leniency.
        if (key.Length != 36 || key[14] != (byte)'7') return null;
        ulong millis = 0;
        int digits = 0;
        for (int i = 0; i < key.Length; i++)
        {
            if (i is 8 or 13 or 18 or 23)
            {
                if (key[i] != (byte)'-') return null;
                continue;
            }

            int digit = HexDigit(key[i]);
            if (digit < 0) return null;
            if (digits++ < 12) millis = millis << 4 | (uint)digit;
        }

        return millis;
    }

    private static int HexDigit(byte value) => value switch
    {
        >= (byte)'0' and <= (byte)'9' => value - '0',
        >= (byte)'a' and <= (byte)'f' => value - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => value - 'A' + 10,
        _ => -1,
    };
}
