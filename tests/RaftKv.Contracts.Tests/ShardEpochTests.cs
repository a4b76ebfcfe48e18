using FsCheck;
using FsCheck.Fluent;

namespace RaftKv.Contracts.Tests;

public sealed class ShardEpochTests
{
    [Fact]
    public void Text_is_version_dot_conf()
    {
        Assert.Equal("1.1", ShardEpoch.Initial.ToString());
        Assert.Equal("18446744073709551615.7", new ShardEpoch(ulong.MaxValue, 7).ToString());
    }

    [Fact]
    public void Text_can_be_read_back() =>
        Prop.ForAll<ulong, ulong>((version, conf) => ShardEpoch.TryParse(new ShardEpoch(version, conf).ToString(), out ShardEpoch back) && back == new ShardEpoch(version, conf)).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("1.")]
    [InlineData(".1")]
    [InlineData("1.1.1")]
    [InlineData("+1.1")]
    [InlineData("1. 1")]
    [InlineData("-1.1")]
    [InlineData("18446744073709551616.1")]
    public void Other_text_is_no_epoch(string text) => Assert.False(ShardEpoch.TryParse(text, out _));
}
