using System.Diagnostics;
using System.Text;
using RaftKv.Tests.Fakes;

namespace RaftKv.Shardctl.Tests;

/// <summary>Arguments that are no UTF-8, which .NET would make one key of.</summary>
public sealed class ArgumentBytesTests
{
    [Theory]
    [InlineData("put $'xa\\xff' one", ExitCode.Usage, "'xa\uFFFD' is not UTF-8. Such a key is named by --key64, such a value comes from standard input.")]
    [InlineData("put xa $'one\\xfe'", ExitCode.Usage, "'one\uFFFD' is not UTF-8.")]
    [InlineData("put $'xa\\xef\\xbf\\xbd' one", ExitCode.CannotConnect, "cannot connect to")]
    public async Task Bytes_that_are_no_text_are_refused(string command, int exitCode, string text)
    {
        using Process shell = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", $"exec \"$0\" {command} --endpoints {FakeNode.Nobody()}", Path.Combine(AppContext.BaseDirectory, "shardctl")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
        })!;
        Task<string> output = shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string error = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        Shardctl.Complained(new Shardctl.Ended(shell.ExitCode, await output, error), exitCode, text);
    }

    [Theory]
    [InlineData("dotnet\0shardctl.dll\0put\0k\uFFFD\0\0", null)]
    [InlineData("shardctl\0put\0k\uFFFD\0\0", null)]
    [InlineData("shardctl\0put\0kX\0\0", "k\uFFFD")]
    public void What_was_given_is_read_from_the_end(string commandLine, string? found)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(commandLine);
        bytes.AsSpan().Replace((byte)'X', (byte)0xFF);
        Assert.Equal(found, ArgumentBytes.FindNotUtf8(["put", "k\uFFFD", ""], bytes));
    }
}
