import { DefaultLogger, Runtime } from '@temporalio/worker';

/**
 * Sends the SDK's log to standard error, one line an entry: standard output stays free for results.
 * Call before anything else of the SDK is used.
 */
export function logToStandardError(): void {
  const logger = new DefaultLogger('INFO', ({ level, timestampNanos, message, meta }) => {
    const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
    process.stderr.write(`${time} ${level} ${message}${describe(meta)}\n`);
  });
  Runtime.install({
    logger,
    // Signals are handled by `runUntilSignal`, which the tests and the demo share.
    shutdownSignals: [],
    telemetryOptions: { logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } } },
  });
}

function describe(meta: object | undefined): string {
  if (meta === undefined || Object.keys(meta).length === 0) return '';
  return ` ${JSON.stringify(meta, (_key, value) => (value instanceof Error ? String(value.stack ?? value) : typeof value === 'bigint' ? String(value) : value))}`;
}
