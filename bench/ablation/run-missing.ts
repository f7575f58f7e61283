/** Runs what the results do not have yet, and appends each line as soon as it is known. */
import { execFile } from 'node:child_process';
import { relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { openJsonLines } from '../../src/core/append-json-lines.ts';
import { InputError } from '../../src/core/input-error.ts';
import { findMix, isDone, type Line, readLines } from './lines.ts';
import { type Cell, cellsOf, type World } from './plan.ts';
import { summarizePilot } from './summarize.ts';

const git = promisify(execFile);
const tagPattern = 'experiment-*';

/**
 * The tag of the code that runs: an experiment is run by the code that its plan was committed with, in a worktree of that tag.
 *
 * @param results the only file that may differ from what was tagged
 * @throws InputError for code that is not tagged, or was changed since
 */
export async function tagOfCode(folder: string, results: string): Promise<string> {
  const ask = async (...words: string[]) => (await git('git', words, { cwd: folder })).stdout.trim();
  const wrong = (problem: string) =>
    new InputError({
      file: folder,
      problem,
      remedy: `Commit the plan, tag it (git tag experiment-1), and run from its worktree (git worktree add ../experiment-1 experiment-1)`,
    });
  const tag = await ask('describe', '--exact-match', '--tags', '--match', tagPattern).catch(() => undefined);
  if (tag === undefined) throw wrong(`this commit has no tag ${tagPattern}`);
  const own = relative(folder, resolve(results));
  const changed = (await ask('status', '--porcelain', '--no-renames'))
    .split('\n')
    .map((line) => line.trim().replace(/^\S+\s+/, ''))
    .filter((file) => file !== '' && file !== own);
  if (changed.length === 0) return tag;
  throw wrong(`${changed[0]} differs from what was tagged ${tag}`);
}

/**
 * Runs the arms of the seeds that have no line yet, one after another.
 *
 * @returns all lines, old and new
 * @throws InputError for results of another tag, and for a line that can't be compared with those that are there
 */
export async function runMissing({
  file,
  tag,
  world,
  seeds,
  run,
  onStart = () => undefined,
}: {
  /** The results. */
  file: string;
  tag: string;
  world: World;
  seeds: readonly number[];
  run: (cell: Cell) => Promise<Line>;
  onStart?: (cell: Cell) => void;
}): Promise<Line[]> {
  const lines = await readLines(file);
  const other = lines.findIndex((line) => line.tag !== tag);
  if (other >= 0) {
    throw new InputError({
      file,
      line: other + 1,
      field: 'tag',
      problem: `is ${lines[other]?.tag}, and this code is ${tag}`,
      remedy: `Run the code of that tag, or write to another file (--results)`,
    });
  }
  const { best } = summarizePilot(lines);
  const cells = seeds.flatMap((seed) => cellsOf(world, seed, best)).filter((cell) => !isDone(lines, cell));
  const results = await openJsonLines(file);
  try {
    for (const cell of cells) {
      onStart(cell);
      const line = await run(cell);
      const mix = findMix([...lines, line]);
      if (mix !== undefined) throw new InputError({ file, ...mix, remedy: 'Run all arms of a seed on one machine' });
      await results.append(line);
      lines.push(line);
    }
  } finally {
    await results.close();
  }
  return lines;
}
