namespace RaftKv.Node;

/// <summary>Which events are logged; may be changed while the node runs, from any thread.</summary>
internal sealed class LogSwitch(LogLevel level)
{
    /// <summary>While this one is on at any level, the framework keeps account of each request, which costs allocations. What it has to say, RequestTelemetry says.</summary>
    private const string RequestAccounts = "Microsoft.AspNetCore.Hosting.Diagnostics";

    private volatile LogLevel _level = level;

    /// <summary>Not None.</summary>
    public LogLevel Level
    {
        get => _level;
        set => _level = value;
    }

    /// <summary>What messages name when a level is none of these.</summary>
    public static string Allowed => "trace, debug, information, warning, error, critical";

    /// <summary>A level by its name, in whatever case; null for another word.</summary>
    public static LogLevel? Parse(string text) =>
        Enum.TryParse(text, ignoreCase: true, out LogLevel level) && level != LogLevel.None && text.Length > 0 && char.IsAsciiLetter(text[0]) && !text.Contains(',', StringComparison.Ordinal) ? level : null;

    public static string NameOf(LogLevel level) => level.ToString().ToLowerInvariant();

    public bool IsEnabled(string category, LogLevel level)
    {
        LogLevel least = _level;
        if (level == LogLevel.None || level < least) return false;
        // The framework's own chatter would drown ours: several lines for each connection.
        if (least == LogLevel.Trace || !category.StartsWith("Microsoft", StringComparison.Ordinal)) return true;
        return level >= LogLevel.Warning && category != RequestAccounts;
    }
}
