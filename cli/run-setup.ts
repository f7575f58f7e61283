import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { projectFile } from '../src/core/files.ts';

/**
 * Runs the set-up, which skips what is installed already; what it prints is shown.
 *
 * @returns whether everything is there
 */
export function runSetup(options: readonly string[] = []): Promise<boolean> {
  return runScript('setup', options);
}

/** Runs a program of `scripts/`, which needs nothing but Node, on this terminal. @returns whether it ended well */
export async function runScript(name: 'setup' | 'doctor', options: readonly string[] = []): Promise<boolean> {
  const program = projectFile(`scripts/${name}.mjs`);
  const child = spawn(process.execPath, [program, ...options], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
