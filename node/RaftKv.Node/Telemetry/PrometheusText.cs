using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace RaftKv.Node.Telemetry;

/// <summary>
/// All metrics in Prometheus' text format, made when it is asked for (https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4), with names as
/// OpenTelemetry's specification of compatibility with Prometheus makes them.
/// </summary>
/// <remarks>OpenTelemetry's own exporter for ASP.NET Core was never released as stable, and is not in every registry.</remarks>
[ExportModes(ExportModes.Pull)]
internal sealed class PrometheusText : BaseExporter<Metric>, IPullMetricExporter
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";
    private const int CollectTimeoutMillis = 5_000;
    private readonly Lock _gate = new();
    private readonly StringBuilder _text = new();

    /// <inheritdoc/>
    public Func<int, bool>? Collect { get; set; }

    /// <summary>One scrape at a time.</summary>
    public byte[] Scrape()
    {
        lock (_gate)
        {
            _text.Clear();
            Collect!(CollectTimeoutMillis);
            return Encoding.UTF8.GetBytes(_text.ToString());
        }
    }

    /// <inheritdoc/>
    public override ExportResult Export(in Batch<Metric> batch)
    {
        WriteTarget(ParentProvider.GetResource());
        HashSet<string> families = [];
        foreach (Metric metric in batch)
        {
            bool isCounter = metric.MetricType is MetricType.LongSum or MetricType.DoubleSum;
            string family = NameOf(metric.Name, metric.Unit, isCounter);
            // A family stands in one piece: of two instruments that come to one name, the first counts.
            if (families.Add(family)) Write(metric, family, isCounter);
        }

        return ExportResult.Success;
    }

    /// <summary>What a metric is called here: letters, digits and underscores; the unit, if the name does not say it, and _total of a counter, behind.</summary>
    internal static string NameOf(string name, string unit, bool isCounter)
    {
        string family = Sanitize(name);
        string suffix = unit switch
        {
            "s" => "seconds",
            "ms" => "milliseconds",
            "By" => "bytes",
            "" or null or "1" or ['{', ..] => "",
            _ => Sanitize(unit),
        };
        if (suffix.Length > 0 && !family.Contains(suffix, StringComparison.Ordinal)) family += "_" + suffix;
        if (isCounter) return family.EndsWith("_total", StringComparison.Ordinal) ? family : family + "_total";
        // These endings belong to counters and histograms.
        return ((string[])["_count", "_sum", "_bucket", "_total"]).Any(ending => family.EndsWith(ending, StringComparison.Ordinal)) ? family + "_current" : family;
    }

    private void WriteTarget(Resource resource)
    {
        Head("target_info", "Who says all this", "gauge");
        _text.Append("target_info");
        char before = '{';
        foreach (var (name, value) in resource.Attributes) before = Label(before, name, value);
        _text.Append(before == '{' ? " 1\n" : "} 1\n");
    }

    private void Write(Metric metric, string family, bool isCounter)
    {
        bool isHistogram = metric.MetricType == MetricType.Histogram;
        Head(family, metric.Description.Length > 0 ? metric.Description : metric.Name, isCounter ? "counter" : isHistogram ? "histogram" : "gauge");
        foreach (ref readonly MetricPoint point in metric.GetMetricPoints())
        {
            if (isHistogram) WriteHistogram(family, point);
            else WriteLine(family, "", point.Tags, ValueOf(metric.MetricType, point));
        }
    }

    private void WriteHistogram(string family, in MetricPoint point)
    {
        long count = 0;
        foreach (HistogramBucket bucket in point.GetHistogramBuckets())
        {
            count += bucket.BucketCount;
            WriteLine(family, "_bucket", point.Tags, Text(count), Text(bucket.ExplicitBound));
        }

        // Not the point's own count: a measurement may come between, and the last bucket is the count by definition.
        WriteLine(family, "_sum", point.Tags, Text(point.GetHistogramSum()));
        WriteLine(family, "_count", point.Tags, Text(count));
    }

    private void Head(string family, string description, string type)
    {
        string help = description.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        _text.Append(CultureInfo.InvariantCulture, $"# HELP {family} {help}\n# TYPE {family} {type}\n");
    }

    private void WriteLine(string family, string ending, ReadOnlyTagCollection tags, string value, string? bound = null)
    {
        _text.Append(family).Append(ending);
        char before = '{';
        foreach (var (name, tag) in tags) before = Label(before, name, tag);
        if (bound is not null) before = Label(before, "le", bound);
        if (before != '{') _text.Append('}');
        _text.Append(' ').Append(value).Append('\n');
    }

    /// <summary>Returns what stands before the next label.</summary>
    private char Label(char before, string name, object? value)
    {
        string text = (Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")
            .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        _text.Append(before).Append(Sanitize(name)).Append("=\"").Append(text).Append('"');
        return ',';
    }

    private static string ValueOf(MetricType type, in MetricPoint point) => type switch
    {
        MetricType.LongSum or MetricType.LongSumNonMonotonic => Text(point.GetSumLong()),
        MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic => Text(point.GetSumDouble()),
        MetricType.LongGauge => Text(point.GetGaugeLastValueLong()),
        _ => Text(point.GetGaugeLastValueDouble()),
    };

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(double number) =>
        double.IsPositiveInfinity(number) ? "+Inf" : double.IsNegativeInfinity(number) ? "-Inf" : number.ToString("R", CultureInfo.InvariantCulture);

    private static string Sanitize(string name)
    {
        StringBuilder text = new(name.Length);
        foreach (char c in name)
        {
            char kept = char.IsAsciiLetterOrDigit(c) ? c : '_';
            if (kept != '_' || text.Length == 0 || text[^1] != '_') text.Append(kept);
        }

        return char.IsAsciiDigit(text[0]) ? $"_{text}" : text.ToString();
    }
}
