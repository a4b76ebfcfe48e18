namespace RaftKv.OrderedStores;

/// <summary>Assertions on bytes, so that a test can write them as [1, 2].</summary>
internal static class Expect
{
    public static void Bytes(byte[] expected, ReadOnlySpan<byte> actual) => Assert.Equal(expected, actual.ToArray());

    /// <summary>A null is absent, not empty.</summary>
    public static void Bytes(byte[] expected, byte[]? actual) => Assert.Equal(expected, actual);

    public static void Rows(List<(byte[] Key, byte[] Value)> expected, List<(byte[] Key, byte[] Value)> actual) =>
        Assert.Equal(expected.Select(Text), actual.Select(Text));

    private static string Text((byte[] Key, byte[] Value) row) => $"{Convert.ToHexString(row.Key)}={Convert.ToHexString(row.Value)}";
}
