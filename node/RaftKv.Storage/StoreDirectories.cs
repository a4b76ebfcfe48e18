using System.Globalization;
using RaftKv.Raft;

namespace RaftKv.Storage;

/// <summary>Where a node's stores lie: <c>&lt;root&gt;/&lt;group&gt;/&lt;generation&gt;/</c>, both as decimal numbers.</summary>
/// <remarks>A name that is not a number is somebody else's, or a checkpoint's on its way, and no store.</remarks>
public sealed class StoreDirectories(string root)
{
    public string Root => root;

    /// <summary>Every store directory, in order.</summary>
    public IReadOnlyList<(GroupId Group, ulong Generation)> List()
    {
        List<(GroupId Group, ulong Generation)> found = [];
        foreach (GroupId group in Groups())
            foreach (ulong generation in NumbersIn(OfGroup(group))) found.Add((group, generation));
        found.Sort();
        return found;
    }

    public IEnumerable<GroupId> Groups() => Directory.Exists(root) ? NumbersIn(root).Select(number => new GroupId(number)) : [];

    /// <summary>The checkpoints that an earlier process left: nobody needs them, and the next start deletes them.</summary>
    public IEnumerable<string> Leftovers() => Groups().SelectMany(group => RocksCheckpoint.LeftoversIn(OfGroup(group)));

    public string OfGroup(GroupId group) => Path.Combine(root, group.Value.ToString(CultureInfo.InvariantCulture));

    public string Of(GroupId group, ulong generation) => Path.Combine(OfGroup(group), generation.ToString(CultureInfo.InvariantCulture));

    private static IEnumerable<ulong> NumbersIn(string parent)
    {
        foreach (string path in Directory.EnumerateDirectories(parent))
            if (ulong.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)) yield return number;
    }
}
