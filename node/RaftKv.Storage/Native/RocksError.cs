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

    public static StoreFailedException Failure(string path, string operation, string text) =>
        new($"store {path}: {operation} failed: {text}");

    /// <summary>The text of <paramref name="error"/>, which is freed; null for null.</summary>
    public static string? Take(byte* error) => error == null ? null : TakeText(error);

    private static string TakeText(byte* error)
    {
        string text = Marshal.PtrToStringUTF8((nint)error)!;
        RocksNative.rocksdb_free(error);
        return text;
    }
}
