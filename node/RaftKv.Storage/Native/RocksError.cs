using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.Storage.Native;

/// <summary>Turns the error strings of the C API into <see cref="StoreFailedException"/>s that name the store and the operation.</summary>
internal static unsafe partial class RocksError
{
    /// <summary>Throws when <paramref name="error"/> is not null, and frees it.</summary>
    public static void ThrowIfSet(byte* error, string path, string operation)
    {
        if (error != null) throw Failure(path, operation, TakeText(error));
    }

    public static StoreFailedException Failure(string path, string operation, string text)
    {
        string message = $"store {path}: {operation} failed: {text}";
        return IsDamage(text) ? new StoreDamagedException(message) : new StoreFailedException(message);
    }

    /// <summary>
    /// Whether RocksDB says that bytes are not what was written, or cannot be read any more. What failed decides, not who asked: whatever a compaction has read in vain, the next
    /// write or flush is refused with, and an opening also writes. Everything else is a failure of this process, or of its disk to write.
    /// </summary>
    internal static bool IsDamage(string text) => DamagePattern().IsMatch(text) && !ShortagePattern().IsMatch(text);

    /// <summary>
    /// The phrases of RocksDB's env/fs_posix.cc and env/io_posix.cc for reading, behind its names for the error: "IO error: No such file or directory: While open a file for random
    /// read: …". A write that is refused while it waits for a compaction that failed adds "Result incomplete". A link is made of a table file, which must be there.
    /// </summary>
    [GeneratedRegex(
        """
        ^(Result\ incomplete:\ )?(
          Corruption: |
          IO\ error:\ ([^:]+:\ )?(
            While\ open(ing)?\ (a\ )?file\ for\ (sequential|random\ read:|raw\ mmap) |
            While\ (reading|pread|prefetching|fseek\ to\ skip|mmap\ file\ for\ read|mmap\ read)\b |
            While\ (stat\ a\ file|opendir|readdir|closedir|open\ for\ IsDirectory|doing\ stat) |
            stat\ file: | Unexpected\ error\( | Req\ (failed|returned) | io_uring
          ) |
          IO\ error:\ No\ such\ file\ or\ directory:\ While\ link\ file\ to\ 
        )
        """, RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant)]
    private static partial Regex DamagePattern();

    /// <summary>What this process lacks, it may lack while it reads.</summary>
    [GeneratedRegex("Too many open files|Cannot allocate memory", RegexOptions.CultureInvariant)]
    private static partial Regex ShortagePattern();

    /// <summary>The text of <paramref name="error"/>, which is freed; null for null.</summary>
    public static string? Take(byte* error) => error == null ? null : TakeText(error);

    private static string TakeText(byte* error)
    {
        string text = Marshal.PtrToStringUTF8((nint)error)!;
        RocksNative.rocksdb_free(error);
        return text;
    }
}
