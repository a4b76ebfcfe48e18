using RaftKv.Node.Options;
using RaftKv.Node.Storage;

namespace RaftKv.Node.Tests.Storage;

/// <summary>DIR/peers in the format of the first release: what a restart without --initial-cluster knows of the others.</summary>
public sealed class PeersFileTests : IDisposable
{
    private const string Format1 = "n1=127.0.0.1:2380\nn-2.b_c=db.example.org:65535\nn3=[2001:db8::1]:1\n";
    private readonly string _root = Directory.CreateTempSubdirectory("raftkv-peers-").FullName;

    private static ClusterMember[] Members => [new("n1", "127.0.0.1", 2380), new("n-2.b_c", "db.example.org", 65535), new("n3", "2001:db8::1", 1)];

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void It_is_written_in_format_1()
    {
        using DataDirectory directory = DataDirectory.Open(_root);
        directory.WritePeers([new ClusterMember("old", "h", 1)]);
        directory.WritePeers(Members);
        Assert.Equal(Format1, File.ReadAllText(Path.Combine(_root, "peers")));
    }

    [Fact]
    public void What_format_1_says_is_read()
    {
        File.WriteAllText(Path.Combine(_root, "peers"), Format1);
        using DataDirectory directory = DataDirectory.Open(_root);
        Assert.Equal(Members, OptionParser.ParseMembers(directory.ReadPeers()));
    }
}
