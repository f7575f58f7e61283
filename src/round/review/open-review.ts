import { openJsonLines } from '../../core/append-json-lines.ts';
import { describeFirstIssue, InputError } from '../../core/input-error.ts';
import { readTextFile } from '../../core/read-json.ts';
import type { EngineSample } from '../../datasets/engine-data.ts';
import { poolFolder } from '../dataset-paths.ts';
import { requireRoundOf } from '../finished-step.ts';
import { keptSamples } from '../select/kept-samples.ts';
import type { StepContext } from '../step-context.ts';
import { type EditCheck, editCheck, editOf } from './check-edit.ts';
import {
  countDecisions,
  decisionsFile,
  type GivenDecision,
  givenDecisionSchema,
  keyOf,
  type ReviewCounts,
  readDecisions,
  type SampleDecision,
} from './decisions.ts';

/** A sample with what was decided about it. */
export interface ReviewedSample {
  key: string;
  sample: EngineSample;
  /** Path of its image. */
  image: string;
  decision?: SampleDecision | undefined;
}

export interface SampleReview {
  round: number;
  /** The round's samples in their order, with the newest decisions, whoever made them. */
  samples(): Promise<ReviewedSample[]>;
  /** @returns why the decision was refused, and the part that it is about; undefined when it was taken */
  decide(given: GivenDecision): Promise<{ field: string; problem: string } | undefined>;
}

/**
 * Opens the samples that a round's steps `refine` and `select` have kept for review. Each decision is on the disk before the next is asked for.
 *
 * @param by who decides
 * @throws InputError when the round has no refined samples yet
 */
export async function openSampleReview(context: StepContext, by: string): Promise<SampleReview> {
  const { config, run, round } = context;
  requireRoundOf('refine', round);
  const all = await (await keptSamples(context)).read();
  const folder = poolFolder(config);
  const byKey = new Map<string, { sample: EngineSample; image: string }>();
  for (const sample of all) byKey.set(keyOf(sample), { sample, image: await folder.fileOf(sample.image_id) });
  let check: Promise<EditCheck> | undefined;

  return {
    round,
    async samples() {
      const decisions = await readDecisions(run, round);
      return [...byKey].map(([key, facts]) => ({ key, ...facts, decision: decisions.get(key) }));
    },
    async decide(given) {
      const found = byKey.get(given.sample);
      if (found === undefined) return { field: 'sample', problem: `round ${round} has no such sample` };
      const { sample } = found;
      if (given.edited !== undefined) {
        if (JSON.stringify(given.edited) === JSON.stringify(editOf(sample))) {
          return { field: 'edited', problem: 'changes nothing: keep the sample instead' };
        }
        check ??= editCheck(context);
        const made = await (await check)(sample, given.edited, await othersThan(given.sample));
        if ('problem' in made) return made;
      }
      const lines = await openJsonLines(decisionsFile(run, round));
      await lines.append({ ...given, by, at: new Date().toISOString() }).finally(() => lines.close());
      return undefined;
    },
  };

  async function othersThan(key: string): Promise<EngineSample[]> {
    const decisions = await readDecisions(run, round);
    return [...byKey].flatMap(([other, { sample }]) => {
      const decision = decisions.get(other);
      if (other === key || decision?.decision === 'reject') return [];
      const { question, choices, correct, answer } = decision?.edited ?? editOf(sample);
      const answers = answer === undefined ? sample.direct_answers : [answer];
      return [{ ...sample, question, choices, correct_choice_idx: correct, direct_answers: answers }];
    });
  }
}

/** How far a review is. */
export function reviewCounts(samples: readonly ReviewedSample[]): ReviewCounts {
  return countDecisions(samples.map(({ decision }) => decision));
}

/**
 * Takes the decisions of a file, a JSON object a line as `--list` prints them with a `decision` added: all, or none when one of
 * them does not fit.
 *
 * @returns how many were taken
 * @throws InputError naming line and field
 */
export async function importDecisions(review: SampleReview, file: string): Promise<number> {
  const lines = (await readTextFile(file)).split(/\r?\n/);
  const known = new Set((await review.samples()).map(({ key }) => key));
  const given: { line: number; decision: GivenDecision }[] = [];
  const problemIn = (line: number, field: string, problem: string) =>
    new InputError({ file, line, field, problem, remedy: 'Correct this line' });
  for (const [index, text] of lines.entries()) {
    if (text.trim() === '') continue;
    const line = index + 1;
    const parsed = givenDecisionSchema.safeParse(parsedLine(text));
    if (!parsed.success) {
      const { field, problem } = describeFirstIssue(parsed.error);
      throw problemIn(line, field, problem);
    }
    if (!known.has(parsed.data.sample)) {
      throw problemIn(line, 'sample', `round ${review.round} has no such sample`);
    }
    given.push({ line, decision: parsed.data });
  }
  for (const { line, decision } of given) {
    const refused = await review.decide(decision);
    if (refused !== undefined) throw problemIn(line, refused.field, refused.problem);
  }
  return given.length;
}

function parsedLine(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}
