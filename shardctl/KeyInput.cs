using System.Buffers.Text;
using System.CommandLine;
using System.Text;

namespace RaftKv.Shardctl;

/// <summary>The key of a verb on one key: an argument that is its text, or <c>--key64</c> for any bytes. Exactly one of the two is given.</summary>
internal sealed class KeyInput
{
    private const string Base64Prefix = "base64:";

    private readonly Argument<string?> _text = new("key")
    {
        Description = "The key. One that begins with '-' stands behind '--'; for one that is no text there is --key64.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> _base64 = new("--key64") { Description = "In place of the key, its bytes in base64url without padding, or as 'list' shows them.", HelpName = "BASE64URL" };

    /// <summary>What follows the key, if anything does. With <c>--key64</c> it is the first argument.</summary>
    private readonly Argument<string?>? _next;

    /// <param name="next">Has the arity ZeroOrOne, for the parser; here it is required.</param>
    public KeyInput(Command command, Argument<string?>? next = null)
    {
        _next = next;
        command.Arguments.Add(_text);
        if (next is not null) command.Arguments.Add(next);
        command.Options.Add(_base64);
    }

    /// <summary>The key, 1 byte or more, and what follows it; that is empty if there is no such argument. Throws <see cref="CommandException"/>.</summary>
    public (byte[] Key, string Next) Read(ParseResult result)
    {
        string?[] given = _next is null ? [result.GetValue(_text)] : [result.GetValue(_text), result.GetValue(_next)];
        string? base64 = result.GetValue(_base64);
        string? next = null;
        if (_next is not null) next = given[base64 is null ? 1 : 0] ?? throw Missing(_next);
        if (base64 is null) return (BytesOf(given[0] ?? throw Missing(_text)), next ?? "");
        if (given[^1] is not null) throw new CommandException(ExitCode.Usage, $"{_base64.Name} stands in place of the key; '{given[0]}' is one argument too many");
        return (Decode(base64), next ?? "");

        CommandException Missing(Argument argument) => new(ExitCode.Usage, $"Required argument '{argument.Name}' missing. See shardctl {result.CommandResult.Command.Name} --help.");
    }

    /// <summary>For people: the text, or what is none, or would not stay on its line, as base64. <c>--key64</c> takes it so.</summary>
    public static string Shown(byte[] bytes) => OutputJson.Split(bytes) is ({ } text, _) && !text.Any(char.IsControl) ? text : Base64Prefix + Convert.ToBase64String(bytes);

    private static byte[] BytesOf(string key) => key.Length > 0 ? Encoding.UTF8.GetBytes(key) : throw Empty();

    private byte[] Decode(string given)
    {
        string text = (given.StartsWith(Base64Prefix, StringComparison.Ordinal) ? given[Base64Prefix.Length..] : given).Replace('+', '-').Replace('/', '_').TrimEnd('=');
        if (!Base64Url.IsValid(text)) throw new CommandException(ExitCode.Usage, $"{_base64.Name} {given}: must be base64url");
        byte[] key = Base64Url.DecodeFromChars(text);
        return key.Length > 0 ? key : throw Empty();
    }

    private static CommandException Empty() => new(ExitCode.Usage, "the key is empty");
}
