using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace RaftKv.Node.Telemetry;

/// <summary>
/// Where metrics and spans go: metrics to whoever asks for /metrics; both to a collector by OTLP over HTTP if one is named. Without one there are no spans at all.
/// </summary>
/// <remarks>How often, and which spans, is for OpenTelemetry's own variables to say: OTEL_METRIC_EXPORT_INTERVAL, OTEL_BSP_SCHEDULE_DELAY, OTEL_TRACES_SAMPLER.</remarks>
internal sealed class Exporters : IDisposable
{
    private const int FlushMillis = 1_000;
    private readonly PrometheusText _prometheus = new();
    private readonly MeterProvider _metrics;
    private readonly TracerProvider? _spans;

    /// <param name="otlp">The collector's base URL, to which <c>/v1/metrics</c> and <c>/v1/traces</c> are added; null for none.</param>
    public Exporters(string node, string cluster, Uri? otlp)
    {
        ResourceBuilder resource = ResourceBuilder.CreateEmpty().AddService("raftkv", serviceVersion: Version, serviceInstanceId: node).AddAttributes([new("raftkv.cluster", cluster)]);
        MeterProviderBuilder metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(NodeMetrics.MeterName, "RaftKv.Transport", "System.Runtime")
            .AddReader(new BaseExportingMetricReader(_prometheus));
        if (otlp is not null)
        {
            metrics.AddOtlpExporter(options => Configure(options, otlp, "/v1/metrics"));
            _spans = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(RequestTelemetry.SourceName).AddOtlpExporter(options => Configure(options, otlp, "/v1/traces")).Build();
        }

        _metrics = metrics.Build();
    }

    private static string Version => typeof(Exporters).Assembly.GetName().Version!.ToString(3);

    /// <summary>All metrics as they stand, in Prometheus' text format.</summary>
    public byte[] Scrape() => _prometheus.Scrape();

    /// <summary>Sends what is not sent yet, if the collector takes it quickly.</summary>
    public void Dispose()
    {
        _spans?.Shutdown(FlushMillis);
        _metrics.Shutdown(FlushMillis);
        _spans?.Dispose();
        _metrics.Dispose();
    }

    private static void Configure(OtlpExporterOptions options, Uri collector, string path)
    {
        options.Protocol = OtlpExportProtocol.HttpProtobuf;
        options.Endpoint = new Uri(collector.ToString().TrimEnd('/') + path);
    }
}
