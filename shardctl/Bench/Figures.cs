using System.Globalization;

namespace RaftKv.Shardctl.Bench;

/// <summary>Measured figures as text: three significant digits, for they are worth no more; what is unknown is a question mark.</summary>
internal static class Figures
{
    private const double BytesPerMebibyte = 1024 * 1024;

    public static string Text(double? figure) => figure switch
    {
        null => "?",
        0 => "0",
        < 0.1 => figure.Value.ToString("0.0000", CultureInfo.InvariantCulture),
        < 1 => figure.Value.ToString("0.000", CultureInfo.InvariantCulture),
        < 10 => figure.Value.ToString("0.00", CultureInfo.InvariantCulture),
        < 100 => figure.Value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => figure.Value.ToString("0", CultureInfo.InvariantCulture),
    };

    /// <summary>What was counted.</summary>
    public static string Count(long? figure) => figure?.ToString(CultureInfo.InvariantCulture) ?? "?";

    /// <summary>Microseconds as milliseconds.</summary>
    public static string Millis(double? micros) => Text(micros / 1000);

    public static string Mebibytes(double? bytes) => Text(bytes / BytesPerMebibyte);
}
