using System.Runtime.InteropServices;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.Storage.Native;

/// <summary>Turns the error strings of the C API into <see cref="StoreFailedException"/>s that name the store and the operation.</summary>
internal static unsafe class RocksError
{
    /// <summary>Throws when <paramref name="error"/> is not null, and frees it.</summary>
    public static void ThrowIfSet(byte* error, string path, string operation)
    {
        if (error != null) throw Failure(path, operation, TakeText(error));
    }

    public static StoreFailedException Failure(string path, string operation, string text)
    {
        string message = $"store {path}: {operation} failed: {text}";
        return IsDamage(operation, text) ? new StoreDamagedException(message) : new StoreFailedException(message);
    }

    /// <summary>
    /// Bytes that are not what was written, also if a compaction met them, and files that are gone or cannot be read. Everything else is a failure of this process or
    /// of its disk to write, and no damage.
    /// </summary>
    private static bool IsDamage(string operation, string text)
    {
        if (text.StartsWith("Corruption", StringComparison.Ordinal)) return true;
        bool isReading = operation is "get" or "scan" or "open";
        return isReading && text.StartsWith("IO error", StringComparison.Ordinal) && !text.Contains("Too many open files", StringComparison.Ordinal) && !text.Contains("/LOCK", StringComparison.Ordinal)
            && !text.Contains("No space left", StringComparison.Ordinal);
    }

    /// <summary>The text of <paramref name="error"/>, which is freed; null for null.</summary>
    public static string? Take(byte* error) => error == null ? null : TakeText(error);

    private static string TakeText(byte* error)
    {
        string text = Marshal.PtrToStringUTF8((nint)error)!;
        RocksNative.rocksdb_free(error);
        return text;
    }
}
