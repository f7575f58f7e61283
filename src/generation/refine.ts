import type { ImageId } from '../core/images/image-id.ts';
import { seededRandom } from '../core/seeded-random.ts';
import type { EngineSample } from '../datasets/engine-data.ts';
import type { RawAnswer } from '../teacher/call-log.ts';
import { type AskedQuestion, type DuplicateLimits, duplicateFinder } from './duplicates.ts';
import {
  checkSample,
  filterRawAnswer,
  isRejection,
  isShortAnswer,
  listedAnswers,
  type Parsed,
  type Rejection,
  type RejectionReason,
} from './filters.ts';
import { asFourParts, findUnfinished, parseAnswer } from './parse-answer.ts';
import { asThreeParts, parseShortAnswer } from './parse-short-answer.ts';
import type { GenerationRequest } from './sample-requests.ts';
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
> &
  Pick<GenerationRequest, 'short_answer'>;

/** The answers, each with what its request asked for. */
export function answersTo<Answer extends { request_id: string }>(
  requests: readonly Pick<GenerationRequest, 'id' | 'short_answer'>[],
  answers: readonly Answer[],
): (Answer & Pick<GenerationRequest, 'short_answer'>)[] {
  const short = new Set(requests.flatMap(({ id, short_answer }) => (short_answer ? [id] : [])));
  return answers.map((answer) => (short.has(answer.request_id) ? { ...answer, short_answer: true } : answer));
}

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
  /** Why a short answer can't be scored by the metric. Default: any can. */
  unscorable?: ((answer: string) => string | undefined) | undefined;
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
  unscorable = () => undefined,
}: KeepRules): (answer: AnswerToRefine) => Parsed | Rejection {
  const findDuplicate = duplicateFinder(earlierSamples.map(askedOf), duplicates);
  const findUnscorable = (parsed: Parsed): Rejection | undefined => {
    const detail = isShortAnswer(parsed) ? unscorable(parsed.answer) : undefined;
    return detail === undefined ? undefined : { reason: 'not_scorable', detail };
  };
  return (answer) => {
    const parsed = readAnswer(answer);
    if (isRejection(parsed)) return parsed;
    const sample = { image_id: answer.image_id, question: parsed.question, choices: listedAnswers(parsed) };
    return (
      checkSample(parsed) ??
      findUnscorable(parsed) ??
      tooLong.get(answer.request_id) ??
      findLeak(sample) ??
      findDuplicate(sample) ??
      parsed
    );
  };
}

function askedOf({ image_id, question, choices, direct_answers = [] }: EngineSample): AskedQuestion {
  return { image_id, question, choices: choices.length > 0 ? choices : direct_answers };
}

/** Parses an answer, unless it is none or the reference system's filters of the text reject it. */
export function readAnswer({
  raw_instructions,
  short_answer,
  ...outcome
}: Pick<AnswerToRefine, 'raw_instructions' | 'finish_reason' | 'refusal' | 'short_answer'>): Parsed | Rejection {
  const [asParts, parse] = short_answer ? [asThreeParts, parseShortAnswer] : [asFourParts, parseAnswer];
  const text = asParts(raw_instructions);
  return findUnfinished(outcome) ?? filterRawAnswer(text) ?? parse(text);
}

/**
 * Makes training samples of the teacher's raw answers: accepts what `answerKeeper` accepts, and shuffles the choices so
 * that each letter is correct equally often. Letters in an explanation follow their choices; where it is not sure which
 * these are, the choices stay as they are. Samples come in the order of the answers.
 *
 * @param input.judge rejects an answer by its verification (see `verdicts.ts`). Default: rejects nothing
 * @param input.instruction what questions with a short answer end with, where they are asked
 * @param input.shuffleChoices false leaves the choices as the teacher wrote them, as the reference system does
 */
export function refineAnswers(
  input: KeepRules & {
    answers: readonly AnswerToRefine[];
    seed: number | string;
    judge?: (answer: AnswerToRefine) => Rejection | undefined;
    shuffleChoices?: boolean;
    instruction?: string | undefined;
  },
): RefinedAnswers {
  const keep = answerKeeper(input);
  const kept: { answer: AnswerToRefine; parsed: Parsed }[] = [];
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
  const samples = kept.map(({ answer }, index) => engineSample(answer, trainedOn[index] as Parsed, input.instruction));
  return { samples, rejected, countsByReason };
}

/** The sample that an answer becomes. */
export function engineSample(
  { image_id, raw_instructions, question_type }: Pick<RawAnswer, 'image_id' | 'raw_instructions' | 'question_type'>,
  parsed: Parsed,
  instruction?: string,
): EngineSample {
  const { question, explanation } = parsed;
  const answer = isShortAnswer(parsed)
    ? { choices: [], direct_answers: [parsed.answer], ...(instruction !== undefined && { instruction }) }
    : { choices: parsed.choices, correct_choice_idx: parsed.correctChoiceIndex };
  return { image_id, raw_instructions, question_type, question, ...answer, rationales: [explanation] };
}
