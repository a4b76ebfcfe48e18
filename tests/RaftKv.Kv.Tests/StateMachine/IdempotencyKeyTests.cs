namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>Only a canonical UUIDv7 carries its time; everything else is opaque.</summary>
public sealed class IdempotencyKeyTests
{
    [Theory]
    [InlineData("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 0x017F22E279B0UL)] // RFC 9562, appendix A.6.
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 0x017F22E279B0UL)]
    [InlineData("00000000-0000-7000-8000-000000000000", 0UL)]
    [InlineData("ffffffff-ffff-7fff-bfff-ffffffffffff", 0xFFFF_FFFF_FFFFUL)]
    public void The_time_of_a_uuidv7(string key, ulong millis) => Assert.Equal(millis, IdempotencyKey.TimestampMillis(Entries.Bytes(key)));

    [Theory]
    [InlineData("")]
    [InlineData("order-17")]
    [InlineData("919108f7-52d1-4320-9bac-f847db4148a8")] // RFC 9562, appendix A.3: version 4.
    [InlineData("1EC9414C-232A-6B00-B3C8-9F6BDECED846")] // Appendix A.5: version 6.
    [InlineData("017f22e279b07cc398c4dc0c0c07398f")]
    [InlineData("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398g")]
    [InlineData("017f22e2+79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398f ")]
    [InlineData("aaaaaaaaaaaaaa7aaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("777777777777777777777777777777777777")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398é")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c0739é")]
    public void Anything_else_is_opaque(string key) => Assert.Null(IdempotencyKey.TimestampMillis(Entries.Bytes(key)));

    /// <summary>What a lenient parser of hexadecimal numbers would take.</summary>
    [Theory]
    [InlineData("+17f22e2-79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("0x7f22e2-79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-0x79-7cc3-98c4-dc0c0c07398f")]
    [InlineData(" 17f22e2-79b0-7cc3-98c4-dc0c0c07398f")]
    public void So_is_what_only_looks_like_one(string key) => Assert.Null(IdempotencyKey.TimestampMillis(Entries.Bytes(key)));

    [Fact]
    public void All_36_bytes_of_all_lengths_around_are_something()
    {
        Random random = new(9);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] key = new byte[random.Next(34, 39)];
            random.NextBytes(key);
            if (key.Length > 14) key[14] = (byte)'7';
            Assert.Null(IdempotencyKey.TimestampMillis(key));
        }
    }
}
