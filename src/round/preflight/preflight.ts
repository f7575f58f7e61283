/**
 * What can be known before a GPU is taken or a teacher is paid, besides the data itself: `checks.ts` is the table. `data check`
 * looks at all of it, a run's start too, and a step by hand at what it needs.
 */
import { fileExists } from '../../core/files.ts';
import { type DataProblem, joinProblems, problemOf } from '../data-problem.ts';
import { finishedStep } from '../finished-step.ts';
import type { StepName } from '../steps.ts';
import type { Place, PreflightContext } from './check.ts';
import { preflightChecks } from './checks.ts';

/** All of them: this machine does the work. */
export const everyPlace: readonly Place[] = ['config', 'files', 'worker'];

export interface Preflight {
  problems: DataProblem[];
  notes: string[];
  /** What could not be checked. */
  unchecked: string[];
}

/**
 * Looks at everything, and continues after a problem.
 *
 * @param options.places what can be known here; default: all
 * @param options.step looks only at what this step needs
 */
export async function preflight(
  context: PreflightContext,
  { places = everyPlace, step }: { places?: readonly Place[]; step?: StepName } = {},
): Promise<Preflight> {
  const found: Preflight = { problems: [], notes: [], unchecked: [] };
  for (const { what, known, steps, applies, find } of preflightChecks) {
    if (step !== undefined && steps !== undefined && !steps.includes(step)) continue;
    context.signal.throwIfAborted();
    try {
      if (applies?.(context) === false) continue;
      if (!places.includes(known)) {
        found.unchecked.push(what);
        continue;
      }
      found.notes.push(...((await find(context, step)) ?? []));
    } catch (error) {
      found.problems.push(problemOf(error, context.config.data.root));
    }
  }
  return { ...found, problems: joinProblems(found.problems) };
}

/**
 * The same for a step that a person starts by hand.
 *
 * @throws InputError for the first problem; naming the step to run first, where the data is made by it
 */
export async function requirePreflight(context: PreflightContext, step: StepName): Promise<string[]> {
  await requireMadeData(context);
  const { problems, notes } = await preflight(context, { step });
  const [first] = problems;
  if (first !== undefined) throw first.error;
  return notes;
}

async function requireMadeData({ config, run, extensions }: PreflightContext): Promise<void> {
  const { data } = config;
  const isMade = Object.keys(extensions.dataSources).some(
    (name) => (data as Record<string, unknown>)[name] !== undefined,
  );
  if (!isMade || (await fileExists(data.root))) return;
  await finishedStep(run, 0, 'prepare-data');
}
