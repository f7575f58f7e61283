/**
 * `clean`: what set-up has downloaded, and what is computed again when it is missing, is removed. All of it comes back by itself.
 */
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { setUpCommand } from '../scripts/doctor/commands.mjs';
import { sizeOf, sizeText } from '../scripts/doctor/size.mjs';
import { InputError } from '../src/core/input-error.ts';
import { setupFile } from '../src/core/setup-file.ts';
import { wrongOption } from './options.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

/** Models, checkpoints and results that commands and benches write there: no set-up makes them again. */
const kept = ['bench', 'bridge', 'charts', 'pretrain', 'smollm2'];

/** Adds `dataengine clean`. */
export function addCleanCommand(program: Command): void {
  program
    .command('clean')
    .description(
      `remove what is in the program's own .cache: what set-up has downloaded, rendered images, features of images; runs, models and results stay (also ${kept.join(', ')} there)`,
    )
    .option('--yes', 'without a question', false)
    .addHelpText('after', '\nExample:\n  dataengine clean')
    .action(({ yes }: { yes: boolean }) => clean({ folder: dirname(setupFile), yes }));
}

/**
 * Removes the content of a cache, after a question on a terminal.
 *
 * @throws InputError where nobody can be asked and `yes` is not given, or while a set-up is running
 */
export async function clean({ folder, yes }: { folder: string; yes: boolean }): Promise<void> {
  const names = (await namesIn(folder)).filter((name) => !kept.includes(name));
  if (names.length === 0) {
    tell(`${folder} has nothing to remove`);
    return;
  }
  if (names.includes('setup.lock')) {
    const problem = 'a set-up is running, or was killed';
    throw new InputError({
      file: join(folder, 'setup.lock'),
      problem,
      remedy: 'Wait for its end, or remove this file',
    });
  }
  const entries = names.map((name) => ({ name, bytes: sizeOf(join(folder, name)) }));
  entries.sort((one, other) => other.bytes - one.bytes);
  const all = sizeText(entries.reduce((sum, { bytes }) => sum + bytes, 0));
  const rows = entries.map(({ name, bytes }) => [name, sizeText(bytes)]);
  tell(textTable([folder, all], rows, { textColumns: 1, compact: true }));
  if (!yes && !(await isAgreed(all))) {
    tell('Nothing was removed.');
    return;
  }
  // Links are removed, not what they lead to.
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  tell(`${all} removed. \`${setUpCommand}\` downloads again what is needed.`);
}

async function isAgreed(size: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    const problem = 'is missing, and there is no terminal to ask on';
    throw wrongOption('--yes', problem, 'Give it to remove all of this');
  }
  const { askWhether } = await import('./terminal-dialog.ts');
  return askWhether(`Remove these ${size}? (y/N) `, process.stdout, 'Nothing was removed.');
}

/** None of a folder that is not there, or can't be read. */
function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
