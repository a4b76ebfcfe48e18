using System.CommandLine;
using System.Globalization;
using System.Text;
using RaftKv.Client;

namespace RaftKv.Shardctl;

/// <summary><c>shardctl list</c>: keys in byte order from all shards.</summary>
internal static class ListVerb
{
    private const int DefaultLimit = 1_000;
    private const int ShownValueChars = 60;

    public static Command Create(Screen screen)
    {
        Option<string> prefix = new("--prefix") { Description = "Only keys that begin so.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        Option<int> limit = new("--limit") { Description = "So many keys at most.", HelpName = "KEYS", CustomParser = GlobalOptions.WholeNumber, DefaultValueFactory = _ => DefaultLimit };
        Option<bool> keysOnly = new("--keys-only") { Description = "Keys without values, one a line." };
        Option<bool> countOnly = new("--count-only") { Description = "Only how many there are, all of them." };
        Command command = new("list", "List keys in byte order, with values and revisions.") { prefix, limit, keysOnly, countOnly };
        command.SetAction((result, cancellation) =>
        {
            ListQuery query = new(Prefix: Encoding.UTF8.GetBytes(result.GetValue(prefix)!), KeysOnly: result.GetValue(keysOnly));
            return result.GetValue(countOnly) ? CountAsync(screen, result, query, cancellation) : ListAsync(screen, result, query, LimitOf(result.GetValue(limit)), cancellation);
        });
        return command;
    }

    private static int LimitOf(int limit) => limit > 0 ? limit : throw new CommandException(ExitCode.Usage, $"--limit {limit}: must be from 1");

    private static async Task<int> CountAsync(Screen screen, ParseResult result, ListQuery query, CancellationToken cancellation)
    {
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        bool isJson = GlobalOptions.IsJson(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        CountResult count = await client.CountAsync(query, cancellation);
        if (count.Error is { } error) throw Outcomes.Failure(count.Outcome, error, "list", endpoints);
        screen.Line(isJson ? OutputJson.Write(new CountOutput(count.Count), OutputJson.OfKey.CountOutput) : count.Count.ToString(CultureInfo.InvariantCulture));
        return ExitCode.Ok;
    }

    private static async Task<int> ListAsync(Screen screen, ParseResult result, ListQuery query, int limit, CancellationToken cancellation)
    {
        IReadOnlyList<ClientEndpoint> endpoints = GlobalOptions.EndpointsOf(result);
        bool isJson = GlobalOptions.IsJson(result);
        using RaftKvClient client = KeyArgument.Connect(result, endpoints);
        List<ListItem> items = [];
        bool hasMore = false;
        try
        {
            await foreach (ListItem item in client.ListAsync(query with { PageKeys = Math.Min(limit + 1, query.PageKeys) }, cancellation))
            {
                hasMore = items.Count == limit;
                if (hasMore) break;
                items.Add(item);
            }
        }
        catch (ListFailedException failure)
        {
            throw Outcomes.Failure(RequestOutcome.Rejected, failure.Error, "list", endpoints);
        }

        if (isJson) screen.Line(OutputJson.Write(new ListOutput([.. items.Select(Describe)], items.Count, hasMore), OutputJson.OfKey.ListOutput));
        else Show(screen, items, query.KeysOnly);
        if (hasMore && !isJson) screen.Complain($"there are more than {limit} keys; --limit shows more of them");
        return ExitCode.Ok;
    }

    private static void Show(Screen screen, List<ListItem> items, bool keysOnly)
    {
        if (keysOnly)
        {
            foreach (ListItem item in items) screen.Line(KeyInput.Shown(item.Key));
            return;
        }

        if (items.Count > 0) screen.Table(["key", "revision", "version", "value"], [.. items.Select(Row)]);
    }

    private static Cell[] Row(ListItem item) => [new(KeyInput.Shown(item.Key), "bold"), Number(item.Revision), Number(item.Version), Brief(item.Value!)];

    private static string Brief(byte[] value)
    {
        if (OutputJson.Split(value) is not ({ } text, _) || text.Any(char.IsControl)) return $"({value.Length} bytes)";
        return text.Length <= ShownValueChars ? text : text[..ShownValueChars] + "…";
    }

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);

    private static ListItemOutput Describe(ListItem item)
    {
        (string? key, string? keyBase64) = OutputJson.Split(item.Key);
        (string? value, string? valueBase64) = item.Value is null ? default : OutputJson.Split(item.Value);
        Position at = item.Position;
        return new ListItemOutput(key, keyBase64, value, valueBase64, item.Revision, item.Created, item.Version, (long?)item.Ttl?.TotalSeconds, at.Shard, at.Node, at.Term, at.Index);
    }
}
