/** Facts of a folder's images, written once by a teacher with vision: a text-only teacher can write samples from them. */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { openJsonLines } from '../core/append-json-lines.ts';
import { fileExists } from '../core/files.ts';
import type { ImageId } from '../core/images/image-id.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import type { AnnotatedImage } from '../datasets/coco.ts';
import { withoutFence } from '../teacher/answer-text.ts';
import { askAll, askWithRetries } from '../teacher/ask-with-retries.ts';
import { fillTemplate, readPromptTemplate } from '../teacher/prompt-template.ts';
import { poolImageUrl, withFolderPool, withPool } from './dataset-paths.ts';
import type { StepContext, StepOutcome } from './step-context.ts';
import { withTeacher } from './teacher.ts';
import { largestImageTokens, planRequests } from './teacher-price.ts';

/** Some facts and boxes. */
const usualAnswerTokens = 200;

const promptFile = fileURLToPath(new URL('../../configs/prompts/describe-v1.md', import.meta.url));

const share = z.number().min(0).max(1);
const answerSchema = z.object({
  facts: z.array(z.string().trim().min(1)).min(1),
  boxes: z
    .array(z.object({ category: z.string().min(1), box: z.tuple([share, share, share, share]) }))
    .default([])
    .describe('Left, top, right, bottom'),
});

export interface DescribeOutcome extends StepOutcome {
  described: number;
  /** By an earlier attempt, or by a person. */
  known: number;
  /** Images whose answer was no such JSON; the next attempt asks again. */
  unreadable: number;
}

/**
 * Has the teacher describe each image of the pool that `data.descriptions.file` says nothing of, and appends a line for each
 * answer as soon as it is received. Images with the content of a described one are not asked about.
 *
 * @throws InputError for a source other than facts; OutOfBudget, with the lines so far kept
 */
export async function describeImages(context: StepContext): Promise<DescribeOutcome> {
  const { config, signal, onProgress } = context;
  const { source, file: name } = config.data.descriptions;
  if (source !== 'facts' || name === undefined) {
    throw new InputError({
      file: 'config',
      field: 'data.descriptions.source',
      problem: `is ${source}: descriptions are written to the file of source facts`,
      remedy: 'Set data.descriptions: { source: facts, file: facts.jsonl }',
    });
  }
  const started = Date.now();
  const file = joinInside(config.data.root, name);
  const known = (await fileExists(file)) ? await describedIds(context) : new Set<ImageId>();
  const template = await readPromptTemplate(promptFile, []);
  const { temperature, maximumTokens } = template;
  const messages = fillTemplate(template, {});
  const outcome = { described: 0, known: known.size, unreadable: 0 };
  const lines = await openJsonLines(file);
  try {
    await withFolderPool(config, async (pool) => {
      const missing = (await pool.list()).filter(({ id }) => !known.has(id));
      await withTeacher(
        context,
        async (ask) =>
          askAll(missing, config.teacher.concurrency, async ({ id, fileName }) => {
            signal.throwIfAborted();
            const image = await poolImageUrl(config, fileName);
            const options = { image, temperature, maximumTokens };
            const { text } = await askWithRetries(() => ask(messages, options), {
              attempts: 6,
              signal,
              onRetry: context.onRetry,
            });
            const [found] = (await pool.read([id])).values();
            const answer = readAnswer(text, found as AnnotatedImage);
            if (answer === undefined) outcome.unreadable += 1;
            else {
              await lines.append({ image: id, ...answer });
              outcome.described += 1;
            }
            const step = outcome.described + outcome.unreadable;
            onProgress({ phase: 'describe images', step, steps: missing.length });
          }),
        {
          purpose: 'describe-images',
          planned: () =>
            planRequests(
              missing.map(() => messages),
              { likely: usualAnswerTokens, most: maximumTokens },
              largestImageTokens(config),
            ),
        },
      );
    });
  } finally {
    await lines.close();
  }
  return { ...outcome, seconds: (Date.now() - started) / 1000, reused: false };
}

async function describedIds({ config }: Pick<StepContext, 'config'>): Promise<Set<ImageId>> {
  const images = await withPool(config, (pool) => pool.list());
  return new Set(images.filter(({ isDescribed }) => isDescribed).map(({ id }) => id));
}

/** The facts of an answer, its boxes in pixels; undefined for an answer of another form. */
function readAnswer(text: string, { width, height }: { width: number; height: number }) {
  try {
    const { facts, boxes } = answerSchema.parse(JSON.parse(withoutFence(text)));
    return {
      facts,
      boxes: boxes.map(({ category, box: [left, top, right, bottom] }) => ({
        category,
        box: [left * width, top * height, (right - left) * width, (bottom - top) * height].map(Math.round),
      })),
    };
  } catch {
    return undefined;
  }
}
