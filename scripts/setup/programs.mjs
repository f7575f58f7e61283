import { spawn } from 'node:child_process';
import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SetupError } from './setup-error.mjs';
import { isAtLeast, versionIn } from './versions.mjs';

/**
 * Runs a program to its end without a shell.
 *
 * @returns {Promise<{ ok: boolean, output: string }>} standard output and error together, or why it did not start
 */
export function runProgram(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code, signal) => {
      if (signal) output += `\nended by ${signal}`;
      resolve({ ok: code === 0, output: output.trim() });
    });
  });
}

/** The first of these programs that is on the PATH, as a path; or undefined. */
export function findOnPath(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // Not here: the next folder may have it.
      }
    }
  }
  return undefined;
}

/** The end of a program's output, where it reports why it failed. */
export function lastLines(output, count = 6) {
  return output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}

/** Differs between two states of a file, without reading it; undefined when the file is missing. */
export function fingerprint(file) {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats && `${stats.size}-${Math.round(stats.mtimeMs)}`;
}

/**
 * The name of a Python with pip on the PATH.
 *
 * @param {number[]} oldest such as [3, 9]
 * @param {string} what it must have, for the message
 */
export async function findPython(oldest, what) {
  const tried = [];
  for (const name of ['python3', 'python']) {
    const { ok, output } = await runProgram(name, ['-c', 'import platform, pip; print(platform.python_version())']);
    const version = ok ? versionIn(output) : undefined;
    if (version && isAtLeast(version, oldest)) return name;
    tried.push(`${name}: ${version ? `is ${version}, older than ${oldest.join('.')}` : lastLines(output, 1)}`);
  }
  throw new SetupError({
    problem: `no Python ${oldest.join('.')} or newer with ${what} was found`,
    tried,
    remedy: 'install it, for instance with `apt-get install python3-pip python3-venv` or `dnf install python3-pip`',
  });
}

/** @throws SetupError when the disk of a folder has less free space than this many bytes. */
export function requireSpace(folder, bytes) {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (count) => `${(count / 1e9).toFixed(1)} GB`;
  throw new SetupError({
    problem: `the disk of ${folder} has ${gigabytes(bavail * bsize)} free, and this needs ${gigabytes(bytes)}`,
    remedy: 'free some space, then run the set-up again',
  });
}
