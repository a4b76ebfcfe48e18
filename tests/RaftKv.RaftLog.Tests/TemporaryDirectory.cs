namespace RaftKv.RaftLog.Tests;

internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("raftkv-log-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
