/** The results: lines of a committed file, one for each run of an arm. Lines that can't be compared are refused. */
import { z } from 'zod';
import { fileExists } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { type Arm, armNames, type Cell, candidates, phaseOf, shares, worlds } from './plan.ts';

const percent = z.number().min(0).max(100);
const tokens = z.int().nonnegative();

const lineSchema = z.strictObject({
  /** Of the experiment's code. */
  tag: z.string().min(1),
  world: z.enum(worlds),
  seed: z.int().nonnegative(),
  arm: z.enum(armNames as [Arm, ...Arm[]]),
  on: z.enum(candidates).optional(),
  share: z.enum(shares),
  /** Of the arm's config, without seed and paths. */
  configHash: z.string(),
  processor: z.string().min(1),
  /** Multiple choice on the test questions, in percent, in round 0 and in the last round. */
  round0: percent,
  score: percent,
  /** The same in the last round for the same questions without their images. */
  blind: percent,
  /** Of the validation questions that an earlier round answered rightly, the share that the last round does not, in percent. */
  forgotten: percent,
  /** Question type → share of wrong answers to the test questions in the last round, 0 to 1. */
  errorByType: z.record(z.string(), z.number().min(0).max(1)),
  /** What the teacher read and wrote in all rounds, candidates that were not kept included. */
  teacherTokens: z.strictObject({ prompt: tokens, completion: tokens }),
  samples: z.int().nonnegative(),
  seconds: z.number().nonnegative(),
  finishedAt: z.iso.datetime(),
});

export type Line = z.output<typeof lineSchema>;

/** None for a file that is not there yet. @throws InputError for lines that are damaged, or can't be compared */
export async function readLines(file: string): Promise<Line[]> {
  if (!(await fileExists(file))) return [];
  const lines = await readJsonLines(file, lineSchema);
  const problem = findMix(lines);
  if (problem === undefined) return lines;
  throw new InputError({ file, ...problem, remedy: 'Keep each experiment in a file of its own' });
}

/** Why lines can't be compared, with the number of the line; undefined where they can. */
export function findMix(lines: readonly Line[]): { line: number; field: string; problem: string } | undefined {
  const first = new Map<string, string>();
  for (const [index, { tag, world, seed, arm, share, configHash, processor, round0 }] of lines.entries()) {
    const wrong = (field: string, problem: string) => ({ line: index + 1, field, problem });
    try {
      phaseOf(seed);
    } catch (error) {
      return wrong('seed', (error as Error).message);
    }
    const of = `${world}, seed ${seed}`;
    for (const [field, group, value] of [
      ['tag', 'the experiment', tag],
      ['configHash', `${arm} (${world}, ${share})`, configHash],
      ['processor', of, processor],
      // All arms of a seed start from one round 0.
      ['round0', of, String(round0)],
    ] as const) {
      const key = `${field} ${group}`;
      const known = first.get(key) ?? value;
      if (known !== value) return wrong(field, `is ${value}, and ${known} in an earlier line of ${group}`);
      first.set(key, value);
    }
    const cell = `cell ${of} ${arm} ${share}`;
    if (first.has(cell)) return wrong('arm', `${arm} of seed ${seed} is there twice (${world}, ${share})`);
    first.set(cell, '');
  }
  return undefined;
}

/** Whether a run of the plan is done. */
export function isDone(lines: readonly Line[], cell: Cell): boolean {
  return lines.some(
    ({ world, seed, arm, share }) =>
      world === cell.world && seed === cell.seed && arm === cell.arm && share === cell.share,
  );
}
