using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>
/// What became of a write with an idempotency key, so that a repetition within the window answers the first result instead of
/// being applied again. It hangs on its user key, so that splits and merges carry it (design §9).
/// </summary>
/// <param name="Fingerprint">XXH64 of the whole encoded request; another request under the same key is refused.</param>
/// <param name="DeadlineMillis">The shard time at which it expires.</param>
/// <param name="Index">Of the entry that was applied first, and <paramref name="Term"/> its term.</param>
/// <param name="Result">Encoded, of the kind that the request has: <see cref="KvApplied"/> or <see cref="KvTxnApplied"/>.</param>
/// <remarks>
/// <code>
/// fingerprint u64 | deadline ms u64 | index u64 | term u64 | result
/// </code>
/// </remarks>
internal sealed record DedupRecord(ulong Fingerprint, ulong DeadlineMillis, LogIndex Index, Term Term, ReadOnlyMemory<byte> Result)
{
    private const int HeaderBytes = 32;

    /// <summary>Writes a record up to its result, which follows.</summary>
    public static void WriteHeader(ByteWriter writer, ulong fingerprint, ulong deadlineMillis, LogIndex index, Term term)
    {
        writer.U64(fingerprint);
        writer.U64(deadlineMillis);
        writer.U64(index.Value);
        writer.U64(term.Value);
    }

    public static DedupRecord Read(byte[] bytes)
    {
        ByteReader reader = new(bytes);
        return new DedupRecord(reader.U64(), reader.U64(), new LogIndex(reader.U64()), new Term(reader.U64()), bytes.AsMemory(HeaderBytes));
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
