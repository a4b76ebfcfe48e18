using System.Text;

namespace RaftKv.Contracts;

/// <summary>A node's name and the id computed from it, the same on every node without asking anyone (design §2).</summary>
public static class NodeIdentity
{
    public const int MaxNameChars = 64;

    /// <summary>
    /// 1 to 64 ASCII letters, digits, <c>.</c>, <c>_</c> or <c>-</c>, beginning with a letter or digit. So a name can
    /// stand in <c>--initial-cluster n1=host:port,…</c>, in a path, in a header and in JSON without any escaping.
    /// </summary>
    public static bool IsValidName(string? name)
    {
        if (name is null || name.Length is 0 or > MaxNameChars || !char.IsAsciiLetterOrDigit(name[0])) return false;
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')) return false;
        }

        return true;
    }

    /// <summary>XXH64, seed 0, of the name as UTF-8. Never 0, which stands for "no node".</summary>
    /// <exception cref="ArgumentException">The name is not valid, or hashes to 0 and another one must be chosen.</exception>
    public static ulong IdOf(string name)
    {
        if (!IsValidName(name)) throw new ArgumentException($"node name '{name}' must be 1 to {MaxNameChars} of A-Z a-z 0-9 . _ - and begin with a letter or digit");
        ulong id = XxHash64.Hash(Encoding.UTF8.GetBytes(name));
        return id != 0 ? id : throw new ArgumentException($"node name '{name}' has the id 0, which is reserved; choose another name");
    }

    /// <summary>The ids of all names, in their order; they are distinct.</summary>
    /// <exception cref="ArgumentException">A name is not valid, given twice, or has the id of another one.</exception>
    public static ulong[] IdsOf(IReadOnlyList<string> names)
    {
        var ids = new ulong[names.Count];
        var nameOf = new Dictionary<ulong, string>(names.Count);
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = IdOf(names[i]);
            if (nameOf.TryAdd(ids[i], names[i])) continue;
            string other = nameOf[ids[i]];
            throw new ArgumentException(other == names[i] ? $"node name '{other}' is given twice" : $"node names '{other}' and '{names[i]}' have the same id {FormatId(ids[i])}; rename one");
        }

        return ids;
    }

    /// <summary>A node id as JSON, logs and people see it: 16 lower-case hex digits.</summary>
    public static string FormatId(ulong id) => HashRange.FormatBound(id);
}
