import type { EngineSample } from '../../datasets/engine-data.ts';
import type { StepContext } from '../step-context.ts';
import { editCheck, refusedEdit } from './check-edit.ts';
import {
  countDecisions,
  decisionsFile,
  keyOf,
  type ReviewCounts,
  readDecisions,
  type SampleDecision,
} from './decisions.ts';

/** A round's review, as far as it got. */
export interface AppliedReview {
  counts: ReviewCounts;
  /** Those that count, in the order of the samples. */
  decisions: SampleDecision[];
  /** The samples to train on: kept ones, edited ones, and those without a decision. */
  apply(): Promise<EngineSample[]>;
}

/** What was decided about the samples; undefined when nothing was, and nothing has to be (`refine.review`). */
export async function reviewOf(
  context: StepContext,
  samples: readonly EngineSample[],
): Promise<AppliedReview | undefined> {
  const { config, run, round } = context;
  const found = await readDecisions(run, round);
  const given = samples.map((sample) => found.get(keyOf(sample)));
  const decisions = given.filter((decision) => decision !== undefined);
  if (decisions.length === 0 && config.refine.review === undefined) return undefined;
  return { counts: countDecisions(given), decisions, apply: () => applyDecisions(context, samples, given) };
}

/**
 * @param decisions one for each sample; undefined where there is none
 * @throws InputError naming the edit that the parser or a filter refuses
 */
async function applyDecisions(
  context: StepContext,
  samples: readonly EngineSample[],
  decisions: readonly (SampleDecision | undefined)[],
): Promise<EngineSample[]> {
  const file = decisionsFile(context.run, context.round);
  const left = samples.flatMap((sample, index) => {
    const decision = decisions[index];
    return decision?.decision === 'reject' ? [] : [{ sample, edited: decision?.edited }];
  });
  if (left.every(({ edited }) => edited === undefined)) return left.map(({ sample }) => sample);
  const check = await editCheck(context);
  const result = left.map(({ sample }) => sample);
  for (const [index, { sample, edited }] of left.entries()) {
    if (edited === undefined) continue;
    const made = await check(sample, edited, result.toSpliced(index, 1));
    if ('problem' in made) throw refusedEdit(file, keyOf(sample), made);
    result[index] = made;
  }
  return result;
}
