import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { type ImageId, imageIdSchema } from '../core/images/image-id.ts';
import { readJsonLines } from '../core/read-json.ts';
import { emptyRecord, valueIn } from '../core/records.ts';
import { type SeededRandom, seededRandom } from '../core/seeded-random.ts';
import type { PoolImage } from '../datasets/coco.ts';

/** The schema of a line of `requests.jsonl`. */
export const generationRequest = z.object({
  id: z.string(),
  image_id: imageIdSchema,
  question_type: z.string(),
  examples: z.array(z.object({ idx: z.string(), prompt: z.string() })),
  source: z.enum(['nearest', 'random']),
  prompt_version: z.string(),
  seed: z.number().int(),
  short_answer: z.literal(true).optional().describe('Asks for a short answer in place of choices'),
});

/**
 * A request for one new question: an image, a question type, and bad cases of that question type as in-context examples.
 * `id` is a hash of all the rest; `source` says how the image was drawn; `seed` is sent to the teacher's API.
 */
export type GenerationRequest = z.output<typeof generationRequest>;

/** Reads `requests.jsonl`. @throws InputError with the line and field that does not fit */
export function readRequests(file: string): Promise<GenerationRequest[]> {
  return readJsonLines(file, generationRequest);
}

/** What sampling needs of a bad case (see `src/evaluation/bad-cases.ts`). */
export interface BadCaseExample {
  idx: string;
  /** The bad case in the prompt's form. */
  prompt: string;
  /** Such as `val2017/000000370270.jpg`. */
  image_path: string;
  /** COCO's; files of the reference system have it in the path alone. */
  image_id?: ImageId | undefined;
  /** Empty where the answer is a short one; not in all files of the reference system. */
  choices?: readonly string[] | undefined;
}

/** The requests of a round. */
export interface SampledRequests {
  requests: GenerationRequest[];
  /** True when the images ran out before all requests were drawn. */
  exhausted: boolean;
  requestsByType: Record<string, number>;
}

/**
 * Adaptive Bad-case Sampling (MLLM-DataEngine, section 3): draws a question type by its weight, bad cases of that question
 * type as in-context examples, and an image, alternately from the images nearest to the first example's image and from all
 * images, or from one of these only. No image is drawn twice, nor one of an earlier round. The same input gives the same requests.
 *
 * A request is for a short answer where its first example has one; all examples of a request are of one kind.
 *
 * With the pool `all` the question type is drawn again too when the image is one that can't be drawn, as in the reference
 * system (`engine_pipeline/step2_query_construct.py`): types whose near images are used up are drawn less.
 *
 * @param input.strategy `adaptive` draws question types by weight, but none with fewer bad cases than `inContextExamples`, as
 * the reference system does; `uniform`, for the ablation, draws all with the same chance, and shows the bad cases there are
 * @param input.requests how many to draw
 * @param input.badCases question type → bad cases
 * @param input.badCaseWeight the weight that a bad case is drawn with as a request's first example, whose image the near ones are
 * near to; default: all bad cases of a type have the same
 * @param input.weights question type → weight; question types without a weight are never drawn
 * @param input.images those of the pool, of which `imagesInPool` are drawn
 * @param input.imagesFrom draws images near to a bad case's, while any is free, or from all; default: in turn
 * @param input.shortAnswerTypes question types that are asked with short answers where they have no bad case
 * @param input.nearest image of a bad case → image ids of the pool, closest first; they count as equally near
 */
export function sampleRequests(input: {
  strategy: 'adaptive' | 'uniform';
  requests: number;
  badCases: Readonly<Record<string, readonly BadCaseExample[]>>;
  badCaseWeight?: ((badCase: BadCaseExample) => number) | undefined;
  weights: Readonly<Record<string, number>>;
  images: readonly PoolImage[];
  usedImageIds: ReadonlySet<ImageId>;
  imagesFrom?: 'near' | 'random' | undefined;
  nearest: (badCaseImageId: ImageId) => readonly ImageId[];
  pool: PoolRules['pool'];
  maximumBoxes: number;
  inContextExamples: number;
  promptVersion: string;
  /** Of requests for short answers. */
  shortPromptVersion?: string | undefined;
  shortAnswerTypes?: ReadonlySet<string> | undefined;
  seed: number | string;
}): SampledRequests {
  const random = seededRandom(input.seed).fork('sample');
  const inPool = imagesInPool(input.images, input);
  const pool = imagePool(freeImages(inPool, input));
  const drawQuestionType = questionTypeDrawer(
    input.strategy === 'uniform' ? {} : drawableWeights(input),
    Object.keys(input.weights),
  );

  const requests: GenerationRequest[] = [];
  const requestsByType: Record<string, number> = emptyRecord();
  let redraws = 0;
  while (requests.length < input.requests && pool.size() > 0) {
    const questionType = drawQuestionType(random);
    if (questionType === undefined) break;
    const [first, ...others] = inRandomOrder(valueIn(input.badCases, questionType) ?? [], random, input.badCaseWeight);
    const isShort = first === undefined ? input.shortAnswerTypes?.has(questionType) === true : hasShortAnswer(first);
    const alike = others.filter((one) => hasShortAnswer(one) === isShort);
    const examples = (first === undefined ? [] : [first, ...alike]).slice(0, input.inContextExamples);
    const anchor = examples[0];
    const isNear = input.imagesFrom === undefined ? requests.length % 2 === 0 : input.imagesFrom === 'near';
    const wanted = isNear && anchor ? input.nearest(imageIdOf(anchor)) : [];
    const drawsAny = input.pool === 'all' && redraws < mostRedraws;
    const near = drawsAny ? wanted : pool.onlyFree(wanted);
    const anyImage = () => (drawsAny ? random.pick(inPool).id : pool.pick(random));
    const imageId = near.length > 0 ? random.pick(near) : anyImage();
    if (!pool.isFree(imageId)) {
      redraws += 1;
      continue;
    }
    redraws = 0;
    pool.take(imageId);

    const content = {
      image_id: imageId,
      question_type: questionType,
      examples: examples.map(({ idx, prompt }) => ({ idx, prompt })),
      source: near.length > 0 ? ('nearest' as const) : ('random' as const),
      prompt_version: isShort ? (input.shortPromptVersion ?? input.promptVersion) : input.promptVersion,
      seed: random.integer(2 ** 31 - 1),
      ...(isShort && { short_answer: true as const }),
    };
    requests.push({ id: hashValue(content), ...content });
    requestsByType[questionType] = (requestsByType[questionType] ?? 0) + 1;
  }
  return { requests, exhausted: requests.length < input.requests, requestsByType };
}

function inRandomOrder(
  badCases: readonly BadCaseExample[],
  random: SeededRandom,
  weightOf?: (badCase: BadCaseExample) => number,
): BadCaseExample[] {
  const shuffled = random.shuffle(badCases);
  const weights = weightOf && shuffled.map(weightOf);
  if (!weights?.some((weight) => weight > 0)) return shuffled;
  const first = random.pickWeighted(shuffled, weights);
  return [first, ...shuffled.filter((badCase) => badCase !== first)];
}

function hasShortAnswer({ choices }: BadCaseExample): boolean {
  return choices?.length === 0;
}

/** So many draws in a row that give no image, and then one that can be drawn is: the reference system would never end. */
const mostRedraws = 10_000;

function freeImages(
  inPool: readonly PoolImage[],
  { usedImageIds, maximumBoxes }: { usedImageIds: ReadonlySet<ImageId>; maximumBoxes: number },
): ImageId[] {
  return inPool.filter(({ id, boxCount }) => boxCount <= maximumBoxes && !usedImageIds.has(id)).map(({ id }) => id);
}

/**
 * The weights that question types are drawn by: 0 for those with fewer bad cases than in-context examples. All are 0 when no
 * question type has enough; all are then drawn alike.
 */
export function drawableWeights({
  weights,
  badCases,
  inContextExamples,
}: Pick<Parameters<typeof sampleRequests>[0], 'weights' | 'badCases' | 'inContextExamples'>): Record<string, number> {
  const entries = Object.entries(weights).map(([questionType, weight]) => {
    const hasEnough = (valueIn(badCases, questionType)?.length ?? 0) >= inContextExamples;
    return [questionType, hasEnough ? weight : 0] as const;
  });
  return Object.fromEntries(entries);
}

// A model without errors has weights of 0 only; it still gets new data, of all question types.
function questionTypeDrawer(
  weights: Readonly<Record<string, number>>,
  all: readonly string[],
): (random: SeededRandom) => string | undefined {
  const questionTypes = [...all].sort();
  if (questionTypes.length === 0) return () => undefined;
  const byWeight = questionTypes.map((questionType) => valueIn(weights, questionType) ?? 0);
  const uniform = byWeight.every((weight) => weight === 0);
  return (random) => (uniform ? random.pick(questionTypes) : random.pickWeighted(questionTypes, byWeight));
}

/** The id of a bad case's image; in files of the reference system the number in its path. @throws Error when its path names none */
export function imageIdOf(badCase: BadCaseExample): ImageId {
  if (badCase.image_id !== undefined) return badCase.image_id;
  const digits = /(\d+)\.[a-z]+$/i.exec(badCase.image_path)?.[1];
  if (digits === undefined) {
    throw new Error(`Bad case ${badCase.idx}: ${badCase.image_path} does not name a COCO image`);
  }
  return Number(digits);
}

/** What `sampling` says about the images that new samples are about. */
export interface PoolRules {
  /** `described`: images of which enough is known, with not too many boxes; `all`: the others too. */
  pool: 'described' | 'all';
  maximumBoxes: number;
}

/**
 * The images that are compared with those of bad cases. With `all` these are also the ones with too many boxes, which are
 * never drawn, as in the reference system.
 */
export function imagesInPool(images: readonly PoolImage[], { pool, maximumBoxes }: PoolRules): readonly PoolImage[] {
  if (pool === 'all') return images;
  return images.filter(
    ({ boxCount, captionCount, isDescribed = boxCount > 0 && captionCount > 0 }) =>
      isDescribed && boxCount <= maximumBoxes,
  );
}

/** The images that may still be drawn. Drawing and removing take constant time. */
interface ImagePool {
  size(): number;
  isFree(imageId: ImageId): boolean;
  /** The given images that may still be drawn, in the given order. */
  onlyFree(imageIds: readonly ImageId[]): ImageId[];
  /** A free image, each as likely as the others. */
  pick(random: SeededRandom): ImageId;
  take(imageId: ImageId): void;
}

/** Makes a pool in which each image is free once. */
function imagePool(imageIds: readonly ImageId[]): ImagePool {
  const free = [...new Set(imageIds)];
  const positions = new Map(free.map((id, position) => [id, position]));
  return {
    size: () => free.length,
    isFree: (imageId) => positions.has(imageId),
    onlyFree: (candidates) => candidates.filter((id) => positions.has(id)),
    pick: (random) => random.pick(free),
    take(imageId) {
      const position = positions.get(imageId);
      if (position === undefined) throw new Error(`Image ${imageId} is not free`);
      const last = free.pop() as number;
      positions.delete(imageId);
      if (last !== imageId) {
        free[position] = last;
        positions.set(last, position);
      }
    },
  };
}
