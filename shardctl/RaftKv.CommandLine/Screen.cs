using System.Text;
using Spectre.Console;

namespace RaftKv.CommandLine;

/// <summary>A table's cell: text, and its colour where there are colours.</summary>
public readonly record struct Cell(string Text, string? Colour = null)
{
    public static implicit operator Cell(string text) => new(text);
}

/// <summary>
/// Where a command reads and writes. On a terminal there are colours and tables; in a pipe plain lines in aligned columns, which
/// grep and awk understand.
/// </summary>
public sealed class Screen
{
    private const string Gap = "  ";
    private readonly string _program;
    private readonly IAnsiConsole? _terminal;
    private readonly bool _errorHasColour;

    /// <param name="program">Its name, as it is typed.</param>
    /// <param name="terminal">Draws on the same place as <paramref name="output"/>; null when that is no terminal.</param>
    public Screen(string program, Stream input, Stream output, Stream error, IAnsiConsole? terminal = null, bool errorHasColour = false)
    {
        Input = input;
        Bytes = output;
        Out = new StreamWriter(output, new UTF8Encoding(false)) { AutoFlush = true, NewLine = "\n" };
        Error = new StreamWriter(error, new UTF8Encoding(false)) { AutoFlush = true, NewLine = "\n" };
        _program = program;
        _terminal = terminal;
        _errorHasColour = errorHasColour;
    }

    public Stream Input { get; }

    /// <summary>Standard output, for values: they are bytes, not text.</summary>
    public Stream Bytes { get; }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    public bool IsTerminal => _terminal is not null;

    public static Screen OfProcess(string program) => new(
        program,
        Console.OpenStandardInput(),
        Console.OpenStandardOutput(),
        Console.OpenStandardError(),
        Console.IsOutputRedirected ? null : AnsiConsole.Console,
        !Console.IsErrorRedirected && AnsiConsole.Console.Profile.Capabilities.ColorSystem != ColorSystem.NoColors);

    /// <summary>A line as it is: never wrapped, so that a command in it can be copied.</summary>
    public void Line(string text = "") => Out.WriteLine(text);

    /// <summary>A line in a colour or style, by Spectre's words for it, where there are colours. Never wrapped either.</summary>
    public void Line(string text, string style) => Out.WriteLine(Paint(text, style));

    /// <summary>The text in its style, or as it is where there are no colours.</summary>
    public string Paint(string text, string style) => _terminal is null ? text : Paint(text, style, _terminal.Profile.Capabilities.ColorSystem != ColorSystem.NoColors);

    /// <summary>The one line that says why a command failed.</summary>
    public void Complain(string message)
    {
        Error.WriteLine($"{Paint($"{_program}:", "bold red", _errorHasColour)} {message.ReplaceLineEndings(" ")}");
    }

    /// <param name="spare">Columns that a narrow terminal leaves out rather than break words, the first ones first. It says so.</param>
    public void Table(string[] headers, IReadOnlyList<Cell[]> rows, params IReadOnlyList<string> spare)
    {
        if (_terminal is null)
        {
            WriteColumns(headers, rows);
            return;
        }

        string[] shown = ColumnsThatFit(headers, WidthsOf(headers, rows), spare, _terminal.Profile.Width);
        DrawTable(_terminal, shown, [.. rows.Select(row => row.Where((_, column) => shown.Contains(headers[column])).ToArray())]);
        if (shown.Length < headers.Length) Line($"Left out for want of room: {string.Join(", ", headers.Except(shown))}", "grey");
    }

    /// <summary>Runs something that takes a moment under a spinner, which it may rename. In a pipe nothing is shown.</summary>
    public Task<T> WithSpinnerAsync<T>(string text, Func<Action<string>, Task<T>> work) => _terminal is null
        ? work(_ => { })
        : _terminal.Status().Spinner(Spinner.Known.Dots).StartAsync(Markup.Escape(text), spinner => work(next => spinner.Status(Markup.Escape(next))));

    /// <summary>Spectre's words for styles as escape sequences; Spectre itself would wrap the line.</summary>
    private static string Paint(string text, string style, bool hasColour)
    {
        if (!hasColour) return text;
        IEnumerable<string> codes = style.Split(' ').Select(word => word switch
        {
            "bold" => "1",
            "red" => "31",
            "green" => "32",
            "yellow" => "33",
            "cyan" => "36",
            "grey" => "90",
            _ => throw new ArgumentException($"no style '{word}'"),
        });
        return $"\e[{string.Join(';', codes)}m{text}\e[0m";
    }

    /// <summary>A table takes its columns' widths, three more for each, and one.</summary>
    private static string[] ColumnsThatFit(string[] headers, int[] widths, IReadOnlyList<string> spare, int room)
    {
        int width = widths.Sum() + (3 * widths.Length) + 1;
        HashSet<string> left = [];
        foreach (string column in spare)
        {
            if (width <= room) break;
            left.Add(column);
            width -= widths[Array.IndexOf(headers, column)] + 3;
        }

        return [.. headers.Where(header => !left.Contains(header))];
    }

    private static int[] WidthsOf(string[] headers, IReadOnlyList<Cell[]> rows) => [.. headers.Select((header, column) => rows.Select(row => row[column].Text.Length).Append(header.Length).Max())];

    private static void DrawTable(IAnsiConsole terminal, string[] headers, IReadOnlyList<Cell[]> rows)
    {
        Table table = new() { Border = TableBorder.Rounded, BorderStyle = Style.Parse("grey") };
        foreach (string header in headers) table.AddColumn(new TableColumn(new Text(header, Style.Parse("bold"))));
        foreach (Cell[] row in rows) table.AddRow(row.Select(cell => new Text(cell.Text, cell.Colour is null ? Style.Plain : Style.Parse(cell.Colour))));
        terminal.Write(table);
    }

    private void WriteColumns(string[] headers, IReadOnlyList<Cell[]> rows)
    {
        int[] widths = WidthsOf(headers, rows);
        WriteRow(headers);
        foreach (Cell[] row in rows) WriteRow([.. row.Select(cell => cell.Text)]);

        void WriteRow(string[] cells) => Out.WriteLine(string.Join(Gap, cells.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }
}
