using System.Text;
using RaftKv.Harness.Clients;

namespace RaftKv.Harness.Tests;

/// <summary>Answers are counted whatever pieces they come in.</summary>
public sealed class StatusCountsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1_000)]
    public void By_their_status(int piece)
    {
        byte[] answers = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHHTTPHTTP/1.1 429 Too Many Requests\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n");
        StatusCounts counts = new();
        foreach (byte[] bytes in answers.Chunk(piece)) counts.Add(bytes);
        Assert.Equal([(200, 2L), (429, 1L)], counts.Counts.Select(pair => (pair.Key, pair.Value)).Order());
    }
}
