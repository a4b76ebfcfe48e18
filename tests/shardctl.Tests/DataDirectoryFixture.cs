using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Shardctl.Tests;

/// <summary>
/// The data directories that three nodes of a release left, kept for ever: <c>NAME.tar.gz</c>; what inspect said of them, <c>NAME.inspect.txt</c>; and what they
/// served, <c>NAME.keys.txt</c>.
/// </summary>
internal static class DataDirectoryFixture
{
    /// <summary>Of the write with an idempotency key that every fixture holds.</summary>
    public const string IdempotencyKey = "01980000-0000-7000-8000-000000000001";

    /// <summary>In the shard of the key <c>rewritten</c>, written between its second and third value.</summary>
    public const string KeyedKey = "{rewritten}/keyed";

    /// <summary>Not part of any format: locks, and RocksDB's own logs.</summary>
    private static readonly string[] s_leftOut = ["lock", "LOCK", "LOG", "node.pid", "node.log"];

    public static void Extract(string name, string directory)
    {
        using GZipStream archive = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name + ".tar.gz")!, CompressionMode.Decompress);
        TarFile.ExtractToDirectory(archive, directory, overwriteFiles: false);
        foreach (string node in Directory.GetDirectories(directory)) File.WriteAllBytes(Path.Combine(node, "lock"), []);
    }

    public static string Text(string resource)
    {
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }

    /// <summary>What inspect says of each node's directory.</summary>
    public static async Task<string> InspectAsync(TestCluster cluster)
    {
        StringBuilder text = new();
        foreach (NodeUnderTest node in cluster.Nodes) text.Append((await Shardctl.RunAsync("inspect", node.Directory, "-o", "json")).Out);
        return text.ToString();
    }

    /// <summary>Every key with its revision, creation, version and value, as base64, a line each.</summary>
    public static async Task<string> KeysAsync(NodeUnderTest node)
    {
        StringBuilder text = new();
        foreach (JsonElement item in (await RawHttp.OnceAsync(node.ClientPort, "GET", "/v1/kv")).Json.GetProperty("items").EnumerateArray())
            text.Append(CultureInfo.InvariantCulture, $"{Base64Of(item, "key")} {item.GetProperty("revision")} {item.GetProperty("created")} {item.GetProperty("version")} {Base64Of(item, "value")}\n");
        return text.ToString();
    }

    /// <summary>Writes the three files of a fixture beside this one, from the stopped nodes of a cluster.</summary>
    public static async Task WriteAsync(string name, TestCluster cluster, string keys, [CallerFilePath] string source = "")
    {
        string golden = Path.Combine(Path.GetDirectoryName(source)!, "Golden", name);
        await File.WriteAllTextAsync(golden + ".keys.txt", keys);
        await File.WriteAllTextAsync(golden + ".inspect.txt", await InspectAsync(cluster));
        foreach (string file in Directory.GetFiles(cluster.DirectoryPath, "*", SearchOption.AllDirectories))
            if (s_leftOut.Contains(Path.GetFileName(file).Split(".old")[0])) File.Delete(file);
        await using GZipStream archive = new(File.Create(golden + ".tar.gz"), CompressionLevel.SmallestSize);
        await TarFile.CreateFromDirectoryAsync(cluster.DirectoryPath, archive, includeBaseDirectory: false);
    }

    private static string Base64Of(JsonElement item, string name) =>
        item.TryGetProperty(name, out JsonElement text) ? Convert.ToBase64String(Encoding.UTF8.GetBytes(text.GetString()!)) : item.GetProperty(name + "Base64").GetString()!;
}
