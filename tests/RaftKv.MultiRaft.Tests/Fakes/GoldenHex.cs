using System.Runtime.CompilerServices;

namespace RaftKv.MultiRaft.Tests;

/// <summary>
/// A committed file of encoded bytes, one <c>name: hex</c> per line; lines that begin with <c>#</c> explain. What stands there
/// is on somebody's disk or wire: a new format version gets a new file, and the old file stays and stays readable.
/// </summary>
internal static class GoldenHex
{
    public static Dictionary<string, byte[]> Load(string resource)
    {
        using Stream stream = typeof(GoldenHex).Assembly.GetManifestResourceStream(resource) ?? throw new InvalidOperationException($"no resource {resource}");
        using StreamReader reader = new(stream);
        Dictionary<string, byte[]> found = new(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0 || line[0] == '#') continue;
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            found.Add(line[..colon], Convert.FromHexString(line[(colon + 1)..].Replace(" ", "", StringComparison.Ordinal)));
        }

        return found;
    }

    /// <summary>
    /// Every case stands in the file with exactly these bytes, and the file holds no other. <c>GOLDEN_REWRITE=1</c> makes the file anew, which
    /// only a format that was never released may do.
    /// </summary>
    public static void AssertEqual(string resource, IEnumerable<(string Name, byte[] Bytes)> cases, [CallerFilePath] string source = "")
    {
        if (Environment.GetEnvironmentVariable("GOLDEN_REWRITE") == "1")
        {
            Rewrite(Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(source))!, "Golden", resource), cases);
            return;
        }

        string[] expected = [.. Load(resource).Select(pair => $"{pair.Key}: {Convert.ToHexStringLower(pair.Value)}")];
        Assert.Equal(expected, cases.Select(item => $"{item.Name}: {Convert.ToHexStringLower(item.Bytes)}"));
    }

    private static void Rewrite(string path, IEnumerable<(string Name, byte[] Bytes)> cases)
    {
        string[] explanation = [.. File.ReadLines(path).TakeWhile(line => line.Length == 0 || line[0] == '#')];
        File.WriteAllLines(path, [.. explanation, .. cases.Select(item => $"{item.Name}: {Convert.ToHexStringLower(item.Bytes)}")]);
    }
}
