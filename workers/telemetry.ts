/**
 * What a worker tells of itself: logs, metrics and traces.
 */

import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { type LogFormat, logLine } from './worker-log.ts';

export interface TelemetryOptions {
  /** Default: lines for people. */
  logFormat?: LogFormat;
  /** Where Prometheus finds the metrics, such as `127.0.0.1:9464`. Default: nowhere. */
  metricsAddress?: string;
}

/** Steps take from a moment to days; the SDK's own buckets are made for milliseconds. */
const stepSecondsBuckets = { dataengine_step_seconds: [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 172_800] };

/** Installs the SDK's runtime. Call before anything else of the SDK is used. */
export function installTelemetry({ logFormat = 'text', metricsAddress }: TelemetryOptions): void {
  Runtime.install({
    // Standard output stays free for results.
    logger: new DefaultLogger('INFO', (entry) => void process.stderr.write(logLine(logFormat, entry))),
    // Signals are handled by `runUntilSignal`, which the tests and the demo share.
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } },
      metrics:
        metricsAddress === undefined
          ? undefined
          : { prometheus: { bindAddress: metricsAddress, histogramBucketOverrides: stepSecondsBuckets } },
    },
  });
}

export interface Traces {
  plugin: OpenTelemetryPlugin;
  /** Sends what is not sent yet. */
  close(): Promise<void>;
}

/**
 * Traces of workflows and activities, sent over OTLP (HTTP) when OTEL_EXPORTER_OTLP_ENDPOINT or
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT names a collector; OpenTelemetry's other variables hold too.
 */
export function openTraces(service: string): Traces | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_SERVICE_NAME } = process.env;
  if (!OTEL_EXPORTER_OTLP_ENDPOINT && !OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return undefined;
  const spanProcessor = new BatchSpanProcessor(new OTLPTraceExporter());
  const resource = new Resource({ 'service.name': OTEL_SERVICE_NAME ?? service });
  // The spans of activities and clients go through the process's own provider, those of workflows through the plugin.
  const provider = new BasicTracerProvider({ resource, spanProcessors: [spanProcessor] });
  provider.register();
  return { plugin: new OpenTelemetryPlugin({ resource, spanProcessor }), close: () => provider.shutdown() };
}
