import { parseArgs } from 'node:util';
import { startLocalTeacher } from './server.ts';

const usage = 'local-teacher/main.ts [--port 8787] [--mistake-rate 0.1] [--seed 1]';

/** Runs the local teacher as a process of its own, until SIGTERM or SIGINT. Prints its address as one line of JSON. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8787' },
      'mistake-rate': { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
    },
  });
  const port = Number(values.port);
  const mistakeRate = Number(values['mistake-rate']);
  if (!Number.isInteger(port) || port < 0 || port > 65535 || !(mistakeRate >= 0 && mistakeRate <= 1))
    throw new Error(usage);

  const teacher = await startLocalTeacher({ port, mistakeRate, seed: values.seed });
  process.stdout.write(`${JSON.stringify({ type: 'listening', baseUrl: teacher.baseUrl })}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void teacher.close());
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
