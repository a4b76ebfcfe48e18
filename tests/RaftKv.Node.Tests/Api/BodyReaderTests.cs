using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Http;

namespace RaftKv.Node.Tests.Api;

/// <summary>What bodies may cost while they arrive: room for what is here, not for what is announced.</summary>
public sealed class BodyReaderTests
{
    private const int Kibi = 1024;
    private const int Most = 64 * Kibi;
    private static readonly KvRequest s_put = new(KvOperation.Put, "key"u8.ToArray());
    private readonly BodyReader _reader = new(Limits.Default with { MaxArrivingBodyBytes = Most });

    [Fact]
    public async Task What_is_only_announced_keeps_nobody_else_out()
    {
        for (int i = 0; i < 10; i++) _ = ReadAsync(new Arriving(Limits.Mebi).Write(1));
        Assert.Equal("value", await ReadAsync(new Arriving(5).Write("value"u8)));
        Arriving slow = new(5);
        Task<string> reading = ReadAsync(slow.Write("va"u8));
        slow.Write("lue"u8);
        Assert.Equal("value", await reading);
    }

    [Fact]
    public async Task What_arrives_counts_until_its_request_ends()
    {
        Arriving first = new(40 * Kibi);
        Arriving second = new(60 * Kibi);
        Task<string> kept = ReadAsync(first.Write(30 * Kibi));
        Task<string> refused = ReadAsync(second.Write(40 * Kibi));
        ApiException problem = await Assert.ThrowsAsync<ApiException>(() => refused);
        Assert.Equal((ErrorCode.Overloaded, Most), (problem.Error, problem.Limit));
        Assert.InRange(problem.Actual!.Value, 70 * Kibi, 200 * Kibi); // Buffers are powers of two.

        first.Write(10 * Kibi);
        Assert.Equal(40 * Kibi, (await kept).Length);
        Assert.Equal(0, _reader.BytesBeingRead);
        second = new Arriving(60 * Kibi);
        Task<string> again = ReadAsync(second.Write(59 * Kibi));
        second.Write(Kibi);
        Assert.Equal(60 * Kibi, (await again).Length);
    }

    [Fact]
    public async Task What_is_there_at_once_needs_no_room()
    {
        Arriving large = new(Limits.Mebi);
        large.Write(Limits.Mebi);
        Assert.Equal(Limits.Mebi, (await ReadAsync(large)).Length);
    }

    [Fact]
    public async Task A_body_of_unknown_length_counts_as_it_arrives_too()
    {
        Arriving body = new(null);
        Task<string> reading = ReadAsync(body.Write("va"u8));
        Assert.InRange(_reader.BytesBeingRead, 2, 8 * Kibi);
        body.Write("lue"u8).End();
        Assert.Equal("value", await reading);
        Assert.Equal(0, _reader.BytesBeingRead);
    }

    [Theory]
    [InlineData(Limits.Mebi + 1)]
    [InlineData(null)]
    public async Task What_is_too_large_is_refused_as_soon_as_that_is_known(int? announced)
    {
        Arriving body = new(announced);
        Task<string> reading = ReadAsync(new BodyReader(Limits.Default), announced is null ? body.Write(Limits.Mebi + 1) : body);
        ApiException problem = await Assert.ThrowsAsync<ApiException>(() => reading);
        Assert.Equal((ErrorCode.ValueTooLarge, Limits.Mebi, Limits.Mebi + 1), (problem.Error, problem.Limit, problem.Actual));
    }

    [Fact]
    public async Task A_body_that_ends_early_is_no_value()
    {
        Arriving body = new(5);
        Task<string> reading = ReadAsync(body.Write("val"u8));
        body.End();
        Assert.Equal("the body ended 2 bytes early", (await Assert.ThrowsAsync<ApiException>(() => reading)).Message);
        Assert.Equal(0, _reader.BytesBeingRead);
    }

    [Fact]
    public async Task A_document_is_read_alike()
    {
        Arriving body = new(2);
        Task<ReadOnlyMemory<byte>> reading = _reader.ReadDocumentAsync(body.Write("{"u8).Request, Door.DeadlineIn(10_000)).AsTask();
        body.Write("}"u8);
        Assert.Equal("{}", Encoding.ASCII.GetString((await reading).Span));
        Assert.Equal("{}", Encoding.ASCII.GetString((await _reader.ReadDocumentAsync(new Arriving(2).Write("{}"u8).Request, Door.DeadlineIn(10_000))).Span));
    }

    private Task<string> ReadAsync(Arriving body) => ReadAsync(_reader, body);

    /// <summary>The value that the put would store.</summary>
    private static async Task<string> ReadAsync(BodyReader reader, Arriving body) =>
        Encoding.ASCII.GetString(KvRequest.Decode(await reader.ReadPutAsync(body.Request, s_put, Door.DeadlineIn(10_000))).Value.Span);

    /// <summary>A request whose body comes piece by piece.</summary>
    private sealed class Arriving : IRequestBodyPipeFeature
    {
        private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));

        public Arriving(int? announced)
        {
            DefaultHttpContext http = new();
            http.Features.Set<IRequestBodyPipeFeature>(this);
            Request = http.Request;
            Request.ContentLength = announced;
        }

        public HttpRequest Request { get; }

        public PipeReader Reader => _pipe.Reader;

        public Arriving Write(int zeros) => Write(new byte[zeros]);

        public Arriving Write(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_pipe.Writer.GetSpan(bytes.Length));
            _pipe.Writer.Advance(bytes.Length);
            Assert.True(_pipe.Writer.FlushAsync().AsTask().IsCompletedSuccessfully);
            return this;
        }

        public void End() => _pipe.Writer.Complete();
    }
}
