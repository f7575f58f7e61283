import { parseArgs } from 'node:util';
import { printable } from '../../src/core/printable.ts';
import { startLocalTeacher } from './server.ts';

const usage = `local-teacher/main.ts [--port 8787] [--seed 1] [--mistake-rate 0.1] [--latency milliseconds]
  limits  [--requests-per-minute N] [--tokens-per-minute N] [--limit-window seconds]
  faults  [--rate-limited 0.1] [--server-errors 0.05] [--cut 0.02] [--nonsense 0.02] [--malformed 0.01] [--refused 0.01]
          [--retry-after seconds] [--context-tokens N]
  batches [--batch-seconds 60] [--batch-failed 0.1]`;

const numberOption = { type: 'string' } as const;

/** Runs the local teacher as a process of its own, until SIGTERM or SIGINT. Prints its address as one line of JSON. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8787' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
      'mistake-rate': numberOption,
      latency: numberOption,
      'requests-per-minute': numberOption,
      'tokens-per-minute': numberOption,
      'limit-window': numberOption,
      'rate-limited': numberOption,
      'server-errors': numberOption,
      cut: numberOption,
      nonsense: numberOption,
      malformed: numberOption,
      refused: numberOption,
      'retry-after': numberOption,
      'context-tokens': numberOption,
      'batch-seconds': numberOption,
      'batch-failed': numberOption,
    },
  });
  if (values.help) return void process.stdout.write(`${usage}\n`);
  type Name = Exclude<keyof typeof values, 'seed' | 'port' | 'help'>;
  const number = (name: Name, maximum = Number.POSITIVE_INFINITY): number | undefined => {
    if (values[name] === undefined) return undefined;
    const value = Number(values[name]);
    if (!(value >= 0 && value <= maximum)) throw new Error(usage);
    return value;
  };
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(usage);

  const teacher = await startLocalTeacher({
    port,
    seed: values.seed,
    mistakeRate: number('mistake-rate', 1),
    limits: {
      requestsPerMinute: number('requests-per-minute'),
      tokensPerMinute: number('tokens-per-minute'),
      windowSeconds: number('limit-window'),
    },
    faults: {
      latencyMilliseconds: number('latency'),
      retryAfterSeconds: number('retry-after'),
      contextTokens: number('context-tokens'),
      rates: {
        rateLimited: number('rate-limited', 1),
        serverError: number('server-errors', 1),
        cutConnection: number('cut', 1),
        nonsense: number('nonsense', 1),
        malformed: number('malformed', 1),
        refused: number('refused', 1),
      },
      batches: { seconds: number('batch-seconds'), failedRequests: number('batch-failed', 1) },
    },
  });
  process.stdout.write(`${JSON.stringify({ type: 'listening', baseUrl: teacher.baseUrl })}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void teacher.close());
}

main().catch((error: unknown) => {
  process.stderr.write(`${printable(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = 1;
});
