import type { ImageId } from '../core/images/image-id.ts';
import { seededRandom } from '../core/seeded-random.ts';
import type { EngineSample } from '../datasets/engine-data.ts';
import type { RawAnswer } from '../teacher/call-log.ts';
import { type DuplicateLimits, duplicateFinder } from './duplicates.ts';
import {
  checkSample,
  filterRawAnswer,
  isRejection,
  type ParsedAnswer,
  type Rejection,
  type RejectionReason,
} from './filters.ts';
import { asFourParts, findUnfinished, parseAnswer } from './parse-answer.ts';
import { shuffleAll } from './shuffle-choices.ts';

/** One line of `rejected.jsonl`. */
export interface RejectedAnswer {
  request_id: string;
  image_id: ImageId;
  reason: RejectionReason;
  /** The words of the answer that the reason refers to, or what is missing. */
  detail: string;
  raw: string;
}

/** What refining needs of a raw answer. */
export type AnswerToRefine = Pick<
  RawAnswer,
  'request_id' | 'image_id' | 'raw_instructions' | 'question_type' | 'finish_reason' | 'refusal'
>;

/** The accepted and the rejected answers of a round. */
export interface RefinedAnswers {
  /** The content of `DataEngine_round<k>_data.json`. */
  samples: EngineSample[];
  rejected: RejectedAnswer[];
  countsByReason: Partial<Record<RejectionReason, number>>;
}

/** How answers are parsed and filtered, without the teacher. */
export interface KeepRules {
  /** The samples of earlier rounds: their questions are rejected as duplicates. */
  earlierSamples: readonly EngineSample[];
  duplicates?: DuplicateLimits;
  /** Request id → why its sample is too long to be trained on. Default: none is. */
  tooLong?: ReadonlyMap<string, Rejection>;
  /** Finds leaks of the evaluation (see `leaks.ts`). Default: there are none. */
  findLeak?: (sample: { image_id: ImageId; question: string; choices: readonly string[] }) => Rejection | undefined;
}

const usualLimits: DuplicateLimits = { similarity: 0.85 };

/**
 * Makes a function that parses and filters one answer after the other: the reference system's filters, the checks of a
 * sample, leaks, then duplicates. A rejected question does not make a later one a duplicate.
 */
export function answerKeeper({
  earlierSamples,
  duplicates = usualLimits,
  tooLong = new Map(),
  findLeak = () => undefined,
}: KeepRules): (answer: AnswerToRefine) => ParsedAnswer | Rejection {
  const findDuplicate = duplicateFinder(earlierSamples, duplicates);
  return (answer) => {
    const parsed = readAnswer(answer);
    if (isRejection(parsed)) return parsed;
    const sample = { image_id: answer.image_id, ...parsed };
    return checkSample(parsed) ?? tooLong.get(answer.request_id) ?? findLeak(sample) ?? findDuplicate(sample) ?? parsed;
  };
}

/** Parses an answer, unless it is none or the reference system's filters of the text reject it. */
export function readAnswer({
  raw_instructions,
  ...outcome
}: Pick<AnswerToRefine, 'raw_instructions' | 'finish_reason' | 'refusal'>): ParsedAnswer | Rejection {
  const text = asFourParts(raw_instructions);
  return findUnfinished(outcome) ?? filterRawAnswer(text) ?? parseAnswer(text);
}

/**
 * Makes training samples of the teacher's raw answers: accepts what `answerKeeper` accepts, and shuffles the choices so
 * that each letter is correct equally often. Letters in an explanation follow their choices; where it is not sure which
 * these are, the choices stay as they are. Samples come in the order of the answers.
 *
 * @param input.judge rejects an answer by its verification (see `verdicts.ts`). Default: rejects nothing
 * @param input.shuffleChoices false leaves the choices as the teacher wrote them, as the reference system does
 */
export function refineAnswers(
  input: KeepRules & {
    answers: readonly AnswerToRefine[];
    seed: number | string;
    judge?: (answer: AnswerToRefine) => Rejection | undefined;
    shuffleChoices?: boolean;
  },
): RefinedAnswers {
  const keep = answerKeeper(input);
  const kept: { answer: AnswerToRefine; parsed: ParsedAnswer }[] = [];
  const rejected: RejectedAnswer[] = [];
  const countsByReason: RefinedAnswers['countsByReason'] = {};

  for (const answer of input.answers) {
    const accepted = keep(answer);
    const usable = isRejection(accepted) ? accepted : (input.judge?.(answer) ?? accepted);
    if (!isRejection(usable)) {
      kept.push({ answer, parsed: usable });
      continue;
    }
    const { reason, detail } = usable;
    const { request_id, image_id, raw_instructions: raw } = answer;
    rejected.push({ request_id, image_id, reason, detail, raw });
    countsByReason[reason] = (countsByReason[reason] ?? 0) + 1;
  }

  const parsed = kept.map((sample) => sample.parsed);
  const trainedOn =
    input.shuffleChoices === false ? parsed : shuffleAll(parsed, seededRandom(input.seed).fork('refine'));
  const samples = kept.map(({ answer }, index) => engineSample(answer, trainedOn[index] as ParsedAnswer));
  return { samples, rejected, countsByReason };
}

/** The sample that an answer becomes. */
export function engineSample(
  { image_id, raw_instructions, question_type }: Pick<RawAnswer, 'image_id' | 'raw_instructions' | 'question_type'>,
  parsed: ParsedAnswer,
): EngineSample {
  return {
    image_id,
    raw_instructions,
    question_type,
    question: parsed.question,
    choices: parsed.choices,
    correct_choice_idx: parsed.correctChoiceIndex,
    rationales: [parsed.explanation],
  };
}
