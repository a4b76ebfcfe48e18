namespace RaftKv.Client.Tests;

public sealed class ClientEndpointTests
{
    [Theory]
    [InlineData("127.0.0.1:2379", "127.0.0.1", 2379, "http://127.0.0.1:2379/")]
    [InlineData("http://node-1.example:80/", "node-1.example", 80, "http://node-1.example/")]
    [InlineData("[::1]:2379", "::1", 2379, "http://[::1]:2379/")]
    [InlineData(" localhost:1 ", "localhost", 1, "http://localhost:1/")]
    public void Host_and_port_are_read(string text, string host, int port, string url)
    {
        Assert.True(ClientEndpoint.TryParse(text, out ClientEndpoint? endpoint));
        Assert.Equal(new ClientEndpoint(host, port), endpoint);
        Assert.Equal(url, endpoint.Url.AbsoluteUri);
    }

    [Theory]
    [InlineData("")]
    [InlineData("host")]
    [InlineData(":2379")]
    [InlineData("host:")]
    [InlineData("host:0")]
    [InlineData("host:65536")]
    [InlineData("host:-1")]
    [InlineData("::1:2379")]
    [InlineData("https://host:2379")]
    [InlineData("ho st:2379")]
    [InlineData("host/path:2379")]
    public void Anything_else_is_refused(string text) => Assert.False(ClientEndpoint.TryParse(text, out _));
}
