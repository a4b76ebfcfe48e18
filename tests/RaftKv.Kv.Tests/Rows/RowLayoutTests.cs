using FsCheck;
using FsCheck.Fluent;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv.Tests.Rows;

/// <summary>Byte order of the rows is what every read, scan and split relies on.</summary>
public sealed class RowLayoutTests
{
    /// <summary>Short keys over the bytes that the escaping treats specially and their neighbours, so that prefixes and collisions are common.</summary>
    private static readonly Gen<byte[]> Keys = Gen.OneOf(
        Gen.Elements<byte>(0x00, 0x01, 0x02, 0xFE, 0xFF, (byte)'a').ArrayOf().Resize(6),
        ArbMap.Default.ArbFor<byte[]>().Generator);

    private static readonly Gen<ulong> Revisions = Gen.OneOf(
        Gen.Choose(1, 5).Select(n => (ulong)n),
        Gen.Choose(0, 5).Select(n => ulong.MaxValue - (ulong)n),
        Gen.Elements(255UL, 256UL, 65_535UL, 65_536UL, 1UL << 32, 1UL << 63));

    private static readonly Arbitrary<(byte[] Key, ulong Revision)> Rows = (
        from key in Keys
        from revision in Revisions
        select (key, revision)).ToArbitrary();

    private static readonly Arbitrary<byte[]> AnyKey = Keys.ToArbitrary();

    private static readonly Config Many = Config.QuickThrowOnFailure.WithMaxTest(2_000);

    [Fact]
    public void Rows_are_in_the_order_of_keys_and_the_newest_revision_first() =>
        Prop.ForAll(Rows, Rows, (left, right) =>
        {
            int byKey = left.Key.AsSpan().SequenceCompareTo(right.Key);
            int expected = byKey != 0 ? byKey : right.Revision.CompareTo(left.Revision);
            return Math.Sign(expected) == Math.Sign(Row(left).AsSpan().SequenceCompareTo(Row(right)));
        }).Check(Many);

    [Fact]
    public void No_keys_prefix_is_a_prefix_of_anothers() =>
        Prop.ForAll(AnyKey, AnyKey, (left, right) =>
            left.AsSpan().SequenceEqual(right) || !Prefix(right).AsSpan().StartsWith(Prefix(left))).Check(Many);

    [Fact]
    public void No_row_of_another_key_begins_with_a_keys_prefix() =>
        Prop.ForAll(AnyKey, Rows, (key, row) =>
        {
            ulong? revision = RowLayout.RevisionOf(Row(row), Prefix(key));
            return key.AsSpan().SequenceEqual(row.Key) ? revision == row.Revision : revision is null;
        }).Check(Many);

    [Fact]
    public void The_key_can_be_read_back() =>
        Prop.ForAll(Rows, row => KeyOf(Row(row)).AsSpan().SequenceEqual(row.Key)).Check(Many);

    [Theory]
    [InlineData("", "1000 01")]
    [InlineData("00", "1000ff 0001")]
    [InlineData("FF", "10ff 0001")]
    [InlineData("0001", "1000ff01 0001")]
    [InlineData("00FF", "1000ffff 0001")]
    [InlineData("0000", "1000ff00ff 0001")]
    [InlineData("610062", "106100ff62 0001")]
    public void Zeros_are_escaped_and_the_end_is_marked(string key, string prefix)
    {
        byte[] bytes = Convert.FromHexString(key);
        Assert.Equal(prefix.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(Prefix(bytes)));
        Assert.Equal(bytes, KeyOf(Row((bytes, 7))));
        Assert.Equal(Prefix(bytes), RowLayout.PrefixOf(Row((bytes, 7))));
    }

    /// <summary>A read at a revision seeks to (key, ~revision): the newest version at or below it comes first.</summary>
    [Fact]
    public void A_seek_finds_the_newest_version_at_or_below_a_revision()
    {
        byte[] key = [0x61, 0x00];
        byte[][] rows = [.. new ulong[] { 9, 5, 2 }.Select(revision => Row((key, revision))), Row(([0x61, 0x00, 0x00], 7)), Row(([0x61, 0x01], 6))];
        Assert.Equal(rows, rows.OrderBy(Convert.ToHexString, StringComparer.Ordinal));
        foreach (var (at, expected) in new (ulong, ulong?)[] { (10, 9), (9, 9), (8, 5), (5, 5), (4, 2), (1, null) })
        {
            byte[] found = rows.First(row => row.AsSpan().SequenceCompareTo(Row((key, at))) >= 0);
            Assert.Equal(expected, RowLayout.RevisionOf(found, Prefix(key)));
        }
    }

    [Fact]
    public void Versions_can_be_read_back() =>
        Prop.ForAll(Rows, ArbMap.Default.ArbFor<bool>(), (row, isDelete) =>
        {
            ByteWriter writer = new();
            KeyVersion version = new(3, isDelete, row.Revision, row.Revision / 2, row.Revision / 3);
            RowLayout.WriteVersionValue(writer, version, row.Key);
            KeyVersion read = RowLayout.ReadVersion(3, writer.Written);
            return read == version
                && RowLayout.ValueOf(writer.Written).SequenceEqual(row.Key)
                && read.HasValue == !isDelete;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Changes_are_in_the_order_of_revision_and_item_and_behind_all_versions() =>
        Prop.ForAll(Rows, Rows, ArbMap.Default.ArbFor<uint>(), (left, right, item) =>
        {
            int expected = left.Revision.CompareTo(right.Revision);
            return Math.Sign(expected) == Math.Sign(Change(left.Revision, item).AsSpan().SequenceCompareTo(Change(right.Revision, item)))
                && Change(left.Revision, item).AsSpan().SequenceCompareTo(Change(left.Revision, uint.MaxValue)) <= 0
                && Row(right).AsSpan().SequenceCompareTo(Change(left.Revision, item)) < 0
                && Row(right).AsSpan().SequenceCompareTo(RowLayout.MetaKey) > 0;
        }).QuickCheckThrowOnFailure();

    public static byte[] Row((byte[] Key, ulong Revision) row)
    {
        ByteWriter writer = new();
        RowLayout.WriteKeyPrefix(writer, row.Key);
        RowLayout.WriteRevisionDescending(writer, row.Revision);
        return writer.ToArray();
    }

    private static byte[] KeyOf(byte[] row)
    {
        ByteWriter key = new();
        RowLayout.WriteKeyOf(key, row);
        return key.ToArray();
    }

    private static byte[] Prefix(byte[] key)
    {
        ByteWriter writer = new();
        RowLayout.WriteKeyPrefix(writer, key);
        return writer.ToArray();
    }

    private static byte[] Change(ulong revision, uint item)
    {
        ByteWriter writer = new();
        RowLayout.WriteChangeKey(writer, revision, item, new Change(revision / 2, item % 2 == 1));
        return writer.ToArray();
    }
}
