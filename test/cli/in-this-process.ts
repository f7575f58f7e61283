import { vi } from 'vitest';
import { createProgram } from '../../cli/program.ts';

/**
 * Runs a command of `dataengine` against a server, as `TEMPORAL_ADDRESS=… dataengine …` would.
 *
 * @returns what it printed on standard output
 */
export async function dataengine(address: string, ...input: string[]): Promise<string> {
  const printed: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((part) => printed.push(String(part)) > 0);
  vi.stubEnv('TEMPORAL_ADDRESS', address);
  try {
    await createProgram(new AbortController().signal).parseAsync(input, { from: 'user' });
  } finally {
    vi.unstubAllEnvs();
    write.mockRestore();
  }
  return printed.join('');
}
