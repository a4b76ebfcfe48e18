using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace RaftKv.Node;

/// <summary>How events are written.</summary>
internal enum LogFormat
{
    Text,
    Json,
}

/// <summary>
/// Logs to standard output, a line per event, as text or as JSON with the event's own fields beside the fixed ones:
/// <code>
/// 2026-01-02T03:04:05.678Z info  RaftKv.Node.NodeProcess Node n1 of cluster … starts
/// {"time":"2026-01-02T03:04:05.678Z","level":"info","logger":"RaftKv.Node.…","message":"Shard 3: …","shard":3,"term":7,"index":120}
/// </code>
/// </summary>
/// <remarks>Written at once, by the thread that logs: a process that ends by _exit has said what it had to say. The hot paths log nothing at information.</remarks>
internal sealed class ConsoleLog : ILoggerProvider
{
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lock _lock = new();
    private readonly LogSwitch _switch;
    private readonly LogFormat _format;

    private ConsoleLog(LogSwitch levels, LogFormat format)
    {
        _switch = levels;
        _format = format;
    }

    public static ILoggerFactory Create(LogSwitch levels, LogFormat format) => LoggerFactory.Create(logging => logging
        .SetMinimumLevel(LogLevel.Trace) // The switch decides, each time.
        .AddProvider(new ConsoleLog(levels, format)));

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void Dispose()
    {
    }

    /// <summary>One line of text, without its end.</summary>
    internal static string Text(DateTime at, LogLevel level, string logger, string message, Exception? exception)
    {
        StringBuilder line = new();
        line.Append(Time(at)).Append(' ').Append(LevelText(level).PadRight(5)).Append(' ').Append(logger).Append(' ').Append(message);
        if (exception is not null) line.Append(" | ").Append(exception);
        return line.ToString().ReplaceLineEndings(" ");
    }

    /// <summary>One JSON object, without the line's end. A field that has a fixed one's name gets an underscore behind it.</summary>
    internal static string Json(DateTime at, LogLevel level, string logger, string message, Exception? exception, IReadOnlyList<KeyValuePair<string, object?>>? fields)
    {
        ArrayBufferWriter<byte> bytes = new();
        using (Utf8JsonWriter json = new(bytes, s_json))
        {
            json.WriteStartObject();
            json.WriteString("time", Time(at));
            json.WriteString("level", LevelText(level));
            json.WriteString("logger", logger);
            json.WriteString("message", message);
            if (exception is not null) json.WriteString("exception", exception.ToString());
            foreach (var (name, value) in fields ?? [])
                if (name.Length > 0 && name != "{OriginalFormat}") WriteField(json, NameOf(name), value);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private static string NameOf(string field)
    {
        string name = JsonNamingPolicy.CamelCase.ConvertName(field);
        return name is "time" or "level" or "logger" or "message" or "exception" ? name + "_" : name;
    }

    private static void WriteField(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null: json.WriteNull(name); break;
            case bool truth: json.WriteBoolean(name, truth); break;
            case sbyte or byte or short or ushort or int or uint or long: json.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture)); break;
            case ulong number: json.WriteNumber(name, number); break;
            default: json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture)); break;
        }
    }

    private static string Time(DateTime at) => at.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    private static string LevelText(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "crit",
    };

    private void Write(string line)
    {
        lock (_lock) Console.Out.WriteLine(line);
    }

    private sealed class Category(ConsoleLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => log._switch.IsEnabled(name, logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            string message = formatter(state, exception);
            log.Write(log._format == LogFormat.Json
                ? Json(DateTime.UtcNow, logLevel, name, message, exception, state as IReadOnlyList<KeyValuePair<string, object?>>)
                : Text(DateTime.UtcNow, logLevel, name, message, exception));
        }
    }
}
