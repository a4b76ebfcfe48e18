using System.Globalization;
using System.Text;

namespace RaftKv.Node;

/// <summary>
/// Logs to standard output, a line per event:
/// <code>2026-01-02T03:04:05.678Z info  RaftKv.Node.NodeProcess Node n1 of cluster … starts</code>
/// </summary>
/// <remarks>Written at once, by the thread that logs: a process that ends by _exit has said what it had to say. The hot paths log nothing at information.</remarks>
internal sealed class ConsoleLog : ILoggerProvider
{
    private readonly Lock _lock = new();

    private ConsoleLog()
    {
    }

    public static ILoggerFactory Create(LogLevel level) => LoggerFactory.Create(logging => logging
        .SetMinimumLevel(level)
        // The framework's own chatter is of use only to those who ask for detail.
        .AddFilter("Microsoft", level < LogLevel.Information ? level : LogLevel.Warning)
        .AddProvider(new ConsoleLog()));

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void Dispose()
    {
    }

    private void Write(string line)
    {
        lock (_lock) Console.Out.WriteLine(line);
    }

    private sealed class Category(ConsoleLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            StringBuilder line = new();
            line.Append(DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)).Append(' ');
            line.Append(LevelText(logLevel)).Append(' ').Append(name).Append(' ').Append(formatter(state, exception));
            if (exception is not null) line.Append(" | ").Append(exception);
            log.Write(line.ToString().ReplaceLineEndings(" "));
        }

        private static string LevelText(LogLevel level) => level switch
        {
            LogLevel.Trace => "trace",
            LogLevel.Debug => "debug",
            LogLevel.Information => "info ",
            LogLevel.Warning => "warn ",
            LogLevel.Error => "error",
            _ => "crit ",
        };
    }
}
