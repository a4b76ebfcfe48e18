using System.Reflection;
using System.Runtime.InteropServices;
using RaftKv.Raft;

namespace RaftKv.Storage.Native;

/// <summary>
/// Finds, loads and checks librocksdb, once per process. A <see cref="RocksEnvironment"/> does it first thing, so that a
/// node without a usable library says so at its start and not at its first write.
/// </summary>
/// <remarks>Thread-safe. The answer does not change while the process lives.</remarks>
public static class RocksDbLibrary
{
    /// <summary>This environment variable names the library's file; nothing else is tried then.</summary>
    public const string OverrideVariable = "ROCKSDB_LIBRARY";

    /// <summary>What <see cref="RocksNative"/> imports from; resolved to the loaded library, never by name.</summary>
    internal const string ImportName = "rocksdb";

    private const string InstallHint =
        "install it (Debian 12: apt-get install librocksdb7.8; Ubuntu 24.04: apt-get install librocksdb8.9) or name its file in " + OverrideVariable;

    /// <summary>Newest first. The plain name comes last: it belongs to development packages.</summary>
    private static readonly string[] s_fileNames =
    [
        "librocksdb.so.10", "librocksdb.so.9.10", "librocksdb.so.9", "librocksdb.so.8.9", "librocksdb.so.8",
        "librocksdb.so.7.8", "librocksdb.so.7", "librocksdb.so.6.11", "librocksdb.so",
    ];

    private static readonly Lazy<string> s_loadedName = new(LoadCheckAndBind);

    /// <summary>
    /// Loads the library and checks that it exports every function we import. Returns the name under which it was found;
    /// throws <see cref="RocksDbUnavailableException"/> with what was tried, or what is missing, and what to do.
    /// </summary>
    public static string Probe() => s_loadedName.Value;

    /// <summary>The C functions that <see cref="RocksNative"/> declares: the declarations themselves are the list.</summary>
    internal static IReadOnlyList<string> Imports() =>
        [.. typeof(RocksNative).GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .Where(method => method.IsDefined(typeof(LibraryImportAttribute)))
            .Select(method => method.Name)
            .Order(StringComparer.Ordinal)];

    private static string LoadCheckAndBind()
    {
        (string name, nint library) = Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 } file
            ? (file, LoadNamed(file))
            : LoadFirst([.. s_fileNames.Select(BesideTheProgram), .. s_fileNames]);
        CheckExports(name, library);
        NativeLibrary.SetDllImportResolver(typeof(RocksNative).Assembly, (import, _, _) => import == ImportName ? library : 0);
        return name;
    }

    private static string BesideTheProgram(string fileName) => Path.Combine(AppContext.BaseDirectory, fileName);

    private static nint LoadNamed(string file)
    {
        try
        {
            return NativeLibrary.Load(file);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new RocksDbUnavailableException($"cannot load RocksDB from {OverrideVariable}={file} ({e.Message.Trim()}); {InstallHint}");
        }
    }

    private static (string Name, nint Library) LoadFirst(string[] names)
    {
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)) return (name, library);
        }
        throw new RocksDbUnavailableException($"RocksDB's library was not found: {InstallHint}. Tried {string.Join(", ", names)}");
    }

    private static void CheckExports(string name, nint library)
    {
        IReadOnlyList<string> imports = Imports();
        Invariant.Holds(imports.Count > 0, $"no imports found by reflection");
        string[] missing = [.. imports.Where(import => !NativeLibrary.TryGetExport(library, import, out _))];
        if (missing.Length > 0)
            throw new RocksDbUnavailableException($"{name} lacks {missing.Length} of the {imports.Count} functions needed from RocksDB ({string.Join(", ", missing.Take(5))}); {InstallHint}");
    }
}

/// <summary>librocksdb is absent or unsuitable; the message says which file, which function, and how to install it.</summary>
public sealed class RocksDbUnavailableException(string message) : Exception(message);
