using System.Globalization;
using System.Net;
using System.Text;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Reports;

/// <summary>All runs of a suite on one page, each with a link to its own.</summary>
internal static class SummaryPage
{
    private const string Head = """
        <!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>jepsen-style</title>
        <style>body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b2430}table{border-collapse:collapse;width:100%}
        th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde3ea;vertical-align:top}td.n{text-align:right}.valid{color:#18794e}.invalid{color:#b42318;font-weight:700}.unknown{color:#9a6700}</style>

        """;

    /// <param name="planned">How many runs there are in all; fewer entries mean that it was stopped.</param>
    public static void Write(string file, string build, int planned, IReadOnlyList<SuiteEntry> entries)
    {
        StringBuilder page = new(Head);
        int Count(string verdict) => entries.Count(entry => entry.Verdict == verdict);
        page.Append(CultureInfo.InvariantCulture, $"<h1>{entries.Count} of {planned} runs: {Count("valid")} valid, {Count("invalid")} invalid, {Count("unknown")} unknown</h1>\n<p>build {WebUtility.HtmlEncode(build)}; ");
        page.Append(CultureInfo.InvariantCulture, $"{entries.Sum(entry => entry.Calls)} calls, {entries.Sum(entry => entry.Faults)} faults</p>\n<table><tr><th>run<th>verdict<th>calls<th>faults<th>s<th>why</tr>\n");
        foreach (SuiteEntry entry in entries)
        {
            string name = WebUtility.HtmlEncode(entry.Name);
            if (entry.Directory.Length > 0) name = $"<a href=\"{Uri.EscapeDataString(Path.GetFileName(entry.Directory))}/report.html\">{name}</a>";
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{name}<td class=\"{entry.Verdict}\">{entry.Verdict}<td class=n>{entry.Calls}<td class=n>{entry.Faults}<td class=n>{entry.Seconds}<td>{WebUtility.HtmlEncode(string.Join("; ", entry.Reasons))}</tr>\n");
        }

        File.WriteAllText(file, page.Append("</table></html>\n").ToString());
    }
}
