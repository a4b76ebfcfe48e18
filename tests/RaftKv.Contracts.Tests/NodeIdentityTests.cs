namespace RaftKv.Contracts.Tests;

public sealed class NodeIdentityTests
{
    [Fact]
    public void The_id_is_the_hash_of_the_name()
    {
        Assert.Equal(XxHash64.Hash("n1"u8), NodeIdentity.IdOf("n1"));
        Assert.Equal("51ce9f3ef4b004a7", NodeIdentity.FormatId(NodeIdentity.IdOf("n1"))); // printf n1 | xxhsum -H1
    }

    [Theory]
    [InlineData("n1")]
    [InlineData("1")]
    [InlineData("Db-7.rack_2.example.org")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    public void A_name_is_of_letters_digits_dots_underscores_and_hyphens(string name) => Assert.True(NodeIdentity.IsValidName(name));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("-n")]
    [InlineData("n 1")]
    [InlineData("n=1")]
    [InlineData("n,1")]
    [InlineData("a/b")]
    [InlineData("n\u00e4")]
    [InlineData("n\n")]
    [InlineData("01234567890123456789012345678901234567890123456789012345678901234")]
    public void Any_other_name_is_refused(string? name)
    {
        Assert.False(NodeIdentity.IsValidName(name));
        Assert.Throws<ArgumentException>(() => NodeIdentity.IdOf(name!));
    }

    [Fact]
    public void Ids_keep_the_order_of_names_and_a_name_given_twice_is_refused()
    {
        Assert.Equal([NodeIdentity.IdOf("n2"), NodeIdentity.IdOf("n1")], NodeIdentity.IdsOf(["n2", "n1"]));
        Assert.Contains("twice", Assert.Throws<ArgumentException>(() => NodeIdentity.IdsOf(["n2", "n1", "n2"])).Message, StringComparison.Ordinal);
    }
}
