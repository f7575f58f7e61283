import { type SeededRandom, seededRandom } from '../core/seeded-random.ts';
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
import { asFourParts, parseAnswer } from './parse-answer.ts';

/** One line of `rejected.jsonl`. */
export interface RejectedAnswer {
  request_id: string;
  image_id: number;
  reason: RejectionReason;
  /** The words of the answer that the reason refers to, or what is missing. */
  detail: string;
  raw: string;
}

/** What refining needs of a raw answer. */
export type AnswerToRefine = Pick<RawAnswer, 'request_id' | 'image_id' | 'raw_instructions' | 'question_type'>;

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
  /** Finds leaks of the evaluation (see `leaks.ts`). Default: there are none. */
  findLeak?: (sample: { image_id: number; question: string; choices: readonly string[] }) => Rejection | undefined;
}

const usualLimits: DuplicateLimits = { similarity: 0.85 };

/**
 * Makes a function that parses and filters one answer after the other: the reference system's filters, the checks of a
 * sample, leaks, then duplicates. A rejected question does not make a later one a duplicate.
 */
export function answerKeeper({
  earlierSamples,
  duplicates = usualLimits,
  findLeak = () => undefined,
}: KeepRules): (answer: AnswerToRefine) => ParsedAnswer | Rejection {
  const findDuplicate = duplicateFinder(earlierSamples, duplicates);
  return ({ image_id, raw_instructions }) => {
    const text = asFourParts(raw_instructions);
    const parsed = filterRawAnswer(text) ?? parseAnswer(text);
    if (isRejection(parsed)) return parsed;
    const sample = { image_id, ...parsed };
    return checkSample(parsed) ?? findLeak(sample) ?? findDuplicate(sample) ?? parsed;
  };
}

/**
 * Makes training samples of the teacher's raw answers: accepts what `answerKeeper` accepts, and shuffles the choices so
 * that each of the four letters is correct equally often. Samples come in the order of the answers.
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
  const random = seededRandom(input.seed).fork('refine');
  const keep = answerKeeper(input);
  const placeCorrectChoice = balancedPlaces(random);
  const result: RefinedAnswers = { samples: [], rejected: [], countsByReason: {} };

  for (const answer of input.answers) {
    const kept = keep(answer);
    const usable = isRejection(kept) ? kept : (input.judge?.(answer) ?? kept);
    if (isRejection(usable)) {
      const { reason, detail } = usable;
      const { request_id, image_id, raw_instructions: raw } = answer;
      result.rejected.push({ request_id, image_id, reason, detail, raw });
      result.countsByReason[reason] = (result.countsByReason[reason] ?? 0) + 1;
      continue;
    }
    const parsed = input.shuffleChoices === false ? usable : shuffleChoices(usable, placeCorrectChoice(), random);
    result.samples.push({
      image_id: answer.image_id,
      raw_instructions: answer.raw_instructions,
      question_type: answer.question_type,
      question: parsed.question,
      choices: parsed.choices,
      correct_choice_idx: parsed.correctChoiceIndex,
      rationales: [parsed.explanation],
    });
  }
  return result;
}

// Drawn from shuffled sets of all four places, so that the balance does not depend on chance.
function balancedPlaces(random: SeededRandom): () => number {
  let places: number[] = [];
  return () => {
    if (places.length === 0) places = random.shuffle([0, 1, 2, 3]);
    return places.pop() as number;
  };
}

function shuffleChoices(parsed: ParsedAnswer, place: number, random: SeededRandom): ParsedAnswer {
  const others = random.shuffle([0, 1, 2, 3].filter((index) => index !== parsed.correctChoiceIndex));
  const order = [...others.slice(0, place), parsed.correctChoiceIndex, ...others.slice(place)];
  const [a = '', b = '', c = '', d = ''] = order.map((index) => parsed.choices[index]);
  return {
    ...parsed,
    choices: [a, b, c, d],
    correctChoiceIndex: place,
    explanation: renameLetters(parsed.explanation, order),
  };
}

// An explanation may say why "(C)" or "option C" is wrong; the letters must be those after the shuffle.
function renameLetters(explanation: string, order: readonly number[]): string {
  const letters = 'ABCD';
  return explanation.replace(
    /(\(|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)s? )([A-D])(?![\p{L}\p{N}])/gu,
    (_, before: string, letter: string) => `${before}${letters[order.indexOf(letters.indexOf(letter))]}`,
  );
}
