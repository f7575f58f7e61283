import { vi } from 'vitest';
import { createProgram } from '../../cli/program.ts';

/**
 * Runs a command of `dataengine` within the test's own process.
 *
 * @returns what it printed on standard output
 */
export async function printedBy(...input: string[]): Promise<string> {
  const printed: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((part) => printed.push(String(part)) > 0);
  try {
    await createProgram(new AbortController().signal).parseAsync(input, { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return printed.join('');
}

/** The same against a server, as `TEMPORAL_ADDRESS=… dataengine …` would. */
export async function dataengine(address: string, ...input: string[]): Promise<string> {
  vi.stubEnv('TEMPORAL_ADDRESS', address);
  try {
    return await printedBy(...input);
  } finally {
    vi.unstubAllEnvs();
  }
}
