import { z } from 'zod';
import { seededRandom } from '../core/seeded-random.ts';
import type { RawAnswer } from '../teacher/call-log.ts';
import type { Rejection } from './filters.ts';
import { readChosenLetter, readWrittenAnswer, type VerificationRequest } from './verification.ts';

const count = z.int().nonnegative();
const tally = z.object({ asked: count, right: count });

export const verdictSchema = z.object({ request_id: z.string(), blind: tally, language_only: tally });

/** How often the teacher gave the sample's own answer when it was asked again. One line of `verified.jsonl`. */
export type Verdict = z.output<typeof verdictSchema>;

/** When a sample passes. */
export interface VerdictLimits {
  agreement: number;
  languageOnlyRight: number;
  keepNeedsNoImage: number;
}

/**
 * Counts the answers to each sample's requests, in the order of the requests. An answer without a choice is not right.
 *
 * @param answers by the id of the request
 * @param isSame whether two short answers are the same; default: word for word
 */
export function countVerdicts(
  requests: readonly VerificationRequest[],
  answers: ReadonlyMap<string, Pick<RawAnswer, 'raw_instructions'>>,
  isSame: (answer: string, expected: string) => boolean = (answer, expected) => answer === expected,
): Verdict[] {
  const verdicts = new Map<string, Verdict>();
  for (const { id, request_id, kind, expected, expected_answer: wanted } of requests) {
    const answer = answers.get(id);
    if (!answer) continue;
    const verdict = verdicts.get(request_id) ?? {
      request_id,
      blind: { asked: 0, right: 0 },
      language_only: { asked: 0, right: 0 },
    };
    verdicts.set(request_id, verdict);
    verdict[kind].asked += 1;
    const { raw_instructions: raw } = answer;
    const written = wanted === undefined ? undefined : readWrittenAnswer(raw);
    const isRight =
      wanted === undefined ? readChosenLetter(raw) === expected : written !== undefined && isSame(written, wanted);
    if (isRight) verdict[kind].right += 1;
  }
  return [...verdicts.values()];
}

/**
 * Judges samples by their verdicts. A sample is dropped when the teacher too often gives another answer than its own, or
 * when it mostly answers correctly without the image: such a sample trains language, not vision, and a share of them is
 * kept, drawn by the seed. A sample without a verdict passes.
 */
export function verdictJudge(
  verdicts: readonly Verdict[],
  limits: VerdictLimits,
  seed: number | string,
): (answer: { request_id: string }) => Rejection | undefined {
  const verdictOf = new Map(verdicts.map((verdict) => [verdict.request_id, verdict]));
  const random = seededRandom(seed).fork('needs no image');
  return ({ request_id }) => {
    const verdict = verdictOf.get(request_id);
    if (!verdict) return undefined;
    const { blind, language_only: languageOnly } = verdict;
    if (blind.asked > 0 && blind.right / blind.asked < limits.agreement) {
      return {
        reason: 'teacher_disagrees',
        detail: `${blind.right} of ${blind.asked} answers without seeing its own agree`,
      };
    }
    if (languageOnly.asked === 0 || languageOnly.right / languageOnly.asked < limits.languageOnlyRight)
      return undefined;
    if (random.fork(request_id).uniform() < limits.keepNeedsNoImage) return undefined;
    return {
      reason: 'needs_no_image',
      detail: `${languageOnly.right} of ${languageOnly.asked} answers without the image are right`,
    };
  };
}
