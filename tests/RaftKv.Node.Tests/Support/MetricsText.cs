using System.Globalization;
using System.Text.RegularExpressions;

namespace RaftKv.Node.Tests.Support;

/// <summary>What /metrics says, read as Prometheus would. Whatever breaks the format's rules fails the test.</summary>
internal sealed partial class MetricsText
{
    private readonly Dictionary<string, double> _samples = [];
    private readonly Dictionary<string, string> _types = [];

    public MetricsText(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        string? family = null;
        HashSet<string> helped = [];
        foreach (string line in text[..^1].Split('\n'))
        {
            string[] words = line.Split(' ', 4);
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                Assert.True(words[3].Length > 0 && helped.Add(words[2]), line);
            }
            else if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                family = words[2];
                Assert.Contains(words[3], (string[])["counter", "gauge", "histogram"]);
                Assert.Contains(family, helped);
                Assert.True(_types.TryAdd(family, words[3]), $"{family} stands in two places");
                Assert.Equal(words[3] == "counter", family.EndsWith("_total", StringComparison.Ordinal));
            }
            else
            {
                Match match = SamplePattern().Match(line);
                Assert.True(match.Success, line);
                string name = match.Groups["name"].Value;
                string[] expected = _types[family!] == "histogram" ? [family + "_bucket", family + "_sum", family + "_count"] : [family!];
                Assert.Contains(name, expected);
                Assert.True(_samples.TryAdd(name + match.Groups["labels"].Value, Number(match.Groups["value"].Value)), $"twice: {line}");
            }
        }

        foreach (var (name, _) in _types.Where(type => type.Value == "histogram")) CheckBuckets(name);
    }

    public IEnumerable<string> Families => _types.Keys;

    /// <summary>Names with their labels, as they stand there.</summary>
    public IEnumerable<string> Series => _samples.Keys;

    /// <param name="series">As it stands there, labels and all. One that is not there counts as 0.</param>
    public double this[string series] => _samples.GetValueOrDefault(series);

    public static async Task<MetricsText> OfAsync(NodeUnderTest node)
    {
        using HttpResponseMessage answer = await Client.Http.GetAsync(new Uri(node.Url, "/metrics"));
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        return new MetricsText(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Bounds and counts only grow, and the last bucket has everything.</summary>
    private void CheckBuckets(string family)
    {
        foreach (var series in _samples.Where(sample => sample.Key.StartsWith(family + "_bucket{", StringComparison.Ordinal)).GroupBy(sample => BoundPattern().Replace(sample.Key, "")))
        {
            (double Bound, double Count)[] buckets = [.. series.Select(sample => (Number(BoundPattern().Match(sample.Key).Groups["bound"].Value), sample.Value))];
            Assert.Equal(buckets.OrderBy(bucket => bucket.Bound), buckets);
            Assert.Equal(buckets.Select(bucket => bucket.Count).Order(), buckets.Select(bucket => bucket.Count));
            string labels = series.Key[(family + "_bucket").Length..];
            Assert.Equal((double.PositiveInfinity, this[family + "_count" + (labels == "{}" ? "" : labels)]), buckets[^1]);
        }
    }

    private static double Number(string text) => text == "+Inf" ? double.PositiveInfinity : double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex("""^(?<name>[a-zA-Z_][a-zA-Z0-9_]*)(?<labels>\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*"(,|(?=\})))+\})? (?<value>[-+0-9.eE]+|[+-]Inf|NaN)$""")]
    private static partial Regex SamplePattern();

    [GeneratedRegex(",?le=\"(?<bound>[^\"]+)\"")]
    private static partial Regex BoundPattern();
}
