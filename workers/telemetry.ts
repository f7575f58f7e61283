/**
 * What a worker reports of itself: logs, metrics and traces.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { ApplicationFailure } from '@temporalio/common';
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import type { LogFormat } from './worker-flags.ts';

export interface TelemetryOptions {
  /** Default: text. */
  logFormat?: LogFormat;
  /** Where Prometheus finds the metrics, such as `127.0.0.1:9464`. Default: nowhere. */
  metricsAddress?: string;
}

/** Steps take seconds to days; the SDK's own buckets are for milliseconds. */
const stepSecondsBuckets = { dataengine_step_seconds: [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 172_800] };

/** Installs the SDK's runtime. Call before anything else of the SDK is used. */
export function installTelemetry({ logFormat = 'text', metricsAddress }: TelemetryOptions): void {
  Runtime.install({
    // Standard output is for results.
    logger: new DefaultLogger('INFO', (entry) => {
      if (!isListOfModules(entry)) process.stderr.write(logLine(logFormat, entry));
    }),
    // `runUntilSignal` handles signals.
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

/** Whether an entry is webpack's list of what it put into the bundle of the workflows; the next one says that there is a bundle. */
function isListOfModules({ level, message }: LogEntry): boolean {
  return level === 'INFO' && /^asset workflow-bundle-.*\bwebpack \S+ compiled successfully/s.test(message);
}

/** An entry as a line. In JSON, what it is about (workflow, activity, run, round) stands beside time, level and message. */
export function logLine(format: LogFormat, { level, timestampNanos, message, meta }: LogEntry): string {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  if (format === 'json') return `${JSON.stringify({ ...meta, time, level, message }, plain)}\n`;
  const about = meta === undefined || Object.keys(meta).length === 0 ? '' : ` ${JSON.stringify(meta, plain)}`;
  return `${time} ${level} ${message}${about}\n`;
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return wordsOf(value);
  return typeof value === 'bigint' ? String(value) : value;
}

/**
 * With all causes: the outermost error of a workflow says only that an activity failed, and has no stack. Wrong input has none
 * either: its message says what is wrong, and where.
 */
function wordsOf(error: Error, depth = 0): string {
  const type = error instanceof ApplicationFailure ? (error.type ?? error.name) : error.name;
  const own = type === 'InputError' || !error.stack ? `${type}: ${error.message}` : error.stack;
  return error.cause instanceof Error && depth < 10 ? `${own}\ncaused by ${wordsOf(error.cause, depth + 1)}` : own;
}

export interface Traces {
  plugin: OpenTelemetryPlugin;
  /** Sends the spans that are left. */
  close(): Promise<void>;
}

/**
 * Traces of workflows and activities, sent over OTLP (HTTP) when OTEL_EXPORTER_OTLP_ENDPOINT or
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT names a collector; OpenTelemetry's other variables apply too.
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
