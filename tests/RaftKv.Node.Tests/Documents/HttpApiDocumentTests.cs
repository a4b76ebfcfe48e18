using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Documents;

/// <summary>node/HTTP-API.md says what three new nodes with eight shards answer: every example is tried, and every code, limit and member is in it.</summary>
/// <remarks><c>make golden GOLDEN_SUITES=RaftKv.Node.Tests</c> writes what the examples print into the document; read the diff.</remarks>
public sealed partial class HttpApiDocumentTests(HttpApiDocumentTests.Fixture fixture) : IClassFixture<HttpApiDocumentTests.Fixture>
{
    private const string Document = "node/HTTP-API.md";
    private const int FirstClientPort = 2379;

    [Fact]
    public Task Every_example_prints_what_the_document_says() => DocumentExamples.CheckAsync(Document, CurlAsync, Mask);

    [Theory]
    [InlineData("/v1/shards")]
    [InlineData("/v1/nodes")]
    [InlineData("/v1/status")]
    [InlineData("/debug/groups/1")]
    public async Task A_document_that_differs_on_every_node_has_the_members_that_are_shown(string path)
    {
        string expected = DocumentExamples.ShapeBelow(Document, $"#### `GET {path}`");
        string[] shapes = [];
        // Of a group from inside the leader's answer is shown, whoever it is.
        await Wait.UntilAsync($"a node that answers {path} as {expected}", async () =>
        {
            shapes = [.. (await Task.WhenAll(fixture.Cluster.Nodes.Select(node => RawHttp.OnceAsync(node.ClientPort, "GET", path)))).Select(answer => DocumentExamples.ShapeOf(answer.Json))];
            return shapes.Contains(expected);
        }, () => string.Join('\n', shapes));
    }

    [Fact]
    public void Every_error_has_its_row()
    {
        string document = DocumentExamples.Read(Document);
        foreach (ErrorCode error in ErrorCode.All)
            Assert.Contains($"| {error.HttpStatus} | `{error.Code}` | {error.OutcomeText ?? "–"} | {(error.Retryable ? "yes" : "no")} |", document, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.All.Length, ErrorRow().Count(document));
    }

    [Fact]
    public async Task Every_limit_has_its_row()
    {
        string document = DocumentExamples.Read(Document);
        foreach (JsonProperty limit in (await RawHttp.OnceAsync(fixture.Cluster.Nodes[0].ClientPort, "GET", "/v1/limits")).Json.EnumerateObject())
            Assert.Contains($"| `{limit.Name}` | {limit.Value.GetInt64()} |", document, StringComparison.Ordinal);
    }

    /// <summary>The part of curl that the examples use. What it prints leaves out the header Date.</summary>
    private async Task<string> CurlAsync(string[] words)
    {
        Assert.Equal("curl", words[0]);
        string? method = null;
        byte[]? body = null;
        Uri? url = null;
        bool showsHead = false;
        List<(string, string)> headers = [];
        for (int i = 1; i < words.Length; i++)
        {
            switch (words[i])
            {
                case "-X": method = words[++i]; break;
                case "-H": headers.Add(words[++i].Split(": ", 2) is var pair ? (pair[0], pair[1]) : default); break;
                case "-d" or "--data-binary": body = Encoding.UTF8.GetBytes(words[++i]); break;
                case "-i": showsHead = true; break;
                case "-I": (method, showsHead) = ("HEAD", true); break;
                default: url = new Uri(words[i], new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }); break;
            }
        }

        if (url!.Query.Contains("stale", StringComparison.Ordinal)) await fixture.Cluster.WaitLevelAsync();
        int port = fixture.Cluster.Nodes[(url.Port - FirstClientPort) / 10].ClientPort;
        RawResponse answer = await RawHttp.OnceAsync(port, method ?? (body is null ? "GET" : "POST"), url.PathAndQuery, body, [.. headers]);
        if (!showsHead) return answer.Text;
        string head = string.Concat(answer.Headers.Where(header => header.Key != "Date").Select(header => $"{header.Key}: {header.Value}\n"));
        return $"HTTP/1.1 {answer.Status} {ReasonPhrases.GetReasonPhrase(answer.Status)}\n{head}\n{answer.Text}";
    }

    /// <summary>Which node leads, and in which term, is for the cluster to say; indexes grow with it, ages and what is left of a ttl with time.</summary>
    private static string Mask(string printed) => Volatile().Replace(printed, "$1#");

    [GeneratedRegex("""((?:"(?:term|index)":|"(?:node|leader)":"n|RaftKv-(?:Term|Index|Age-Ms|Ttl): |RaftKv-Node: n|at index |"ttl":))[0-9]+""")]
    private static partial Regex Volatile();

    [GeneratedRegex(@"^\| [0-9]{3} \| `[a-z-]+` \|", RegexOptions.Multiline)]
    private static partial Regex ErrorRow();

    public sealed class Fixture : IAsyncLifetime
    {
        private TestCluster? _cluster;

        internal TestCluster Cluster => _cluster!;

        public async ValueTask InitializeAsync() => _cluster = await TestCluster.StartAsync(3, shards: 8);

        public ValueTask DisposeAsync() => _cluster!.DisposeAsync();
    }
}
