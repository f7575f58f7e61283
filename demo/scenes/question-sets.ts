import { hashBytes } from '../../src/core/hash.ts';
import type { SeededRandom } from '../../src/core/seeded-random.ts';
import type { SceneImage } from './images.ts';
import { askQuestion, QUESTION_TYPES, type SceneQuestion, type SceneQuestionType } from './questions.ts';

/** One record of an A-OKVQA file, with its type. */
export interface QuestionRecord {
  split: string;
  image_id: number;
  question_id: string;
  question: string;
  choices: string[];
  correct_choice_idx: number;
  direct_answers: string[];
  difficult_direct_answer: boolean;
  rationales: string[];
  question_type: SceneQuestionType;
}

/** How often the base SFT data asks each type: three types make nearly all of it, most others are rare. */
const BASE_WEIGHTS: Readonly<Record<SceneQuestionType, number>> = {
  identity_reasoning: 0.34,
  attribute_recognition: 0.32,
  image_scene: 0.25,
  attribute_comparison: 0.015,
  object_localization: 0.015,
  spatial_relationship: 0.01,
  image_topic: 0.01,
  image_quality: 0.01,
  function_reasoning: 0.01,
  'knowledge-based_reasoning': 0.01,
  physical_property_reasoning: 0.01,
};

/** The same three types lead, and none is asked three times as often as another; fewer images have a question about their topic. */
const MILD_WEIGHTS: Readonly<Record<SceneQuestionType, number>> = {
  identity_reasoning: 0.13,
  attribute_recognition: 0.13,
  image_scene: 0.13,
  attribute_comparison: 0.07,
  object_localization: 0.07,
  spatial_relationship: 0.07,
  image_topic: 0.12,
  image_quality: 0.08,
  function_reasoning: 0.07,
  'knowledge-based_reasoning': 0.07,
  physical_property_reasoning: 0.07,
};

const weightsOf = { skewed: BASE_WEIGHTS, mild: MILD_WEIGHTS };

/** How the base SFT questions are spread over the types. */
export type BaseTypes = keyof typeof weightsOf;

function record(split: string, id: number, type: SceneQuestionType, asked: SceneQuestion): QuestionRecord {
  return {
    split,
    image_id: id,
    question_id: questionId(`${split}/${id}/${type}/${asked.question}`),
    question: asked.question,
    choices: asked.choices,
    correct_choice_idx: asked.correctChoiceIndex,
    direct_answers: asked.directAnswers,
    difficult_direct_answer: false,
    rationales: asked.rationales,
    question_type: type,
  };
}

/** Leaves out the type, as A-OKVQA's own files do. */
export function withoutType({ question_type: _, ...official }: QuestionRecord): Omit<QuestionRecord, 'question_type'> {
  return official;
}

/**
 * The base SFT questions: rich in three types and poor in the others, as data that was collected once is.
 *
 * @param types `mild` for a world whose base data leaves less to find
 */
export function skewedQuestions(
  images: readonly SceneImage[],
  perImage: number,
  random: SeededRandom,
  types: BaseTypes = 'skewed',
): QuestionRecord[] {
  const weights = weightsOf[types];
  return images.flatMap(({ id, scene }) => {
    const own = random.fork(id);
    const asked = new Map<string, QuestionRecord>();
    for (let attempt = 0; asked.size < perImage && attempt < 10 * perImage; attempt += 1) {
      const type = own.pickWeighted(
        QUESTION_TYPES,
        QUESTION_TYPES.map((name) => weights[name]),
      );
      const question = askQuestion(type, scene, own.fork(attempt));
      // "What color is the cat?" and its paraphrase are one question.
      if (question)
        asked.set(`${type} ${question.choices[question.correctChoiceIndex]}`, record('train', id, type, question));
    }
    return [...asked.values()].slice(0, perImage);
  });
}

/**
 * The validation or test questions: as many of every type as there can be. Each image gets, of the types
 * that it supports, those asked least so far.
 */
export function balancedQuestions(
  split: 'val' | 'test',
  images: readonly SceneImage[],
  perImage: number,
  random: SeededRandom,
): QuestionRecord[] {
  const target = Math.ceil((images.length * perImage) / QUESTION_TYPES.length);
  const most = Math.ceil(perImage);
  const counts = new Map<SceneQuestionType, number>(QUESTION_TYPES.map((type) => [type, 0]));
  const countOf = (type: SceneQuestionType) => counts.get(type) as number;
  const records: QuestionRecord[] = [];
  for (const { id, scene } of images) {
    const own = random.fork(id);
    const wanted = own.shuffle(QUESTION_TYPES).filter((type) => countOf(type) < target);
    wanted.sort((left, right) => countOf(left) - countOf(right));
    let asked = 0;
    for (const type of wanted) {
      if (asked >= most) break;
      const question = askQuestion(type, scene, own.fork(type));
      if (!question) continue;
      records.push(record(split, id, type, question));
      counts.set(type, countOf(type) + 1);
      asked += 1;
    }
  }
  return records;
}

const ID_ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const ID_LENGTH = 22;

/** An id that looks like A-OKVQA's (22 letters and digits without look-alikes) and depends on the key alone. */
function questionId(key: string): string {
  let rest = BigInt(`0x${hashBytes(key)}`);
  let id = '';
  while (id.length < ID_LENGTH) {
    id += ID_ALPHABET[Number(rest % BigInt(ID_ALPHABET.length))];
    rest /= BigInt(ID_ALPHABET.length);
  }
  return id;
}
