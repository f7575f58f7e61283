import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { projectFile } from '../src/core/files.ts';

/**
 * Runs the set-up, which skips what is installed already; what it prints is shown.
 *
 * @returns whether everything is there
 */
export async function runSetup(options: readonly string[] = []): Promise<boolean> {
  const child = spawn(process.execPath, [projectFile('scripts/setup.mjs'), ...options], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
