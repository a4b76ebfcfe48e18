using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace RaftKv.Node.Tests.Telemetry;

/// <summary>The form of a line, and which events are written.</summary>
public sealed class ConsoleLogTests
{
    private static readonly DateTime s_at = new(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc);

    [Fact]
    public void Text_is_one_line_whatever_is_logged() =>
        Assert.Equal("2026-01-02T03:04:05.678Z warn  A.B one two | System.InvalidOperationException: bad", ConsoleLog.Text(s_at, LogLevel.Warning, "A.B", "one\ntwo", new InvalidOperationException("bad")));

    [Fact]
    public void Json_has_the_fields_beside_the_fixed_ones()
    {
        string line = ConsoleLog.Json(s_at, LogLevel.Information, "A.B", "a \"q\"\nä", null, [new("Shard", 3UL), new("Protocol", (ushort)1), new("Level", "x"), new("None", null), new("IsIt", true), new("At", Role.One), new("{OriginalFormat}", "a")]);
        Assert.Equal("""{"time":"2026-01-02T03:04:05.678Z","level":"info","logger":"A.B","message":"a \"q\"\nä","shard":3,"protocol":1,"level_":"x","none":null,"isIt":true,"at":"One"}""", line);
        Assert.Contains("bad", JsonDocument.Parse(ConsoleLog.Json(s_at, LogLevel.Error, "A.B", "m", new InvalidOperationException("bad"), null)).RootElement.GetProperty("exception").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LogLevel.Information, "RaftKv.Node", LogLevel.Information, true)]
    [InlineData(LogLevel.Information, "RaftKv.Node", LogLevel.Debug, false)]
    [InlineData(LogLevel.Information, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Information, false)]
    [InlineData(LogLevel.Information, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Warning, true)]
    [InlineData(LogLevel.Debug, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Debug, false)]
    [InlineData(LogLevel.Trace, "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Debug, true)]
    [InlineData(LogLevel.Information, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Critical, false)]
    [InlineData(LogLevel.Critical, "RaftKv.Node", LogLevel.Error, false)]
    public void The_switch_decides_by_category_and_level(LogLevel set, string category, LogLevel level, bool isWritten)
    {
        LogSwitch levels = new(LogLevel.Error) { Level = set };
        Assert.Equal(isWritten, levels.IsEnabled(category, level));
    }

    private enum Role
    {
        One,
    }
}
