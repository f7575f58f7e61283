/**
 * The worker's log: lines for people, or one JSON object a line for programs.
 */
import type { LogEntry } from '@temporalio/worker';

export const logFormats = ['text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** One entry as a line. In JSON, what it is about (workflow, activity, run, round) stands beside time, level and message. */
export function logLine(format: LogFormat, { level, timestampNanos, message, meta }: LogEntry): string {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  if (format === 'json') return `${JSON.stringify({ ...meta, time, level, message }, plain)}\n`;
  const about = meta === undefined || Object.keys(meta).length === 0 ? '' : ` ${JSON.stringify(meta, plain)}`;
  return `${time} ${level} ${message}${about}\n`;
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return String(value.stack ?? value);
  return typeof value === 'bigint' ? String(value) : value;
}
