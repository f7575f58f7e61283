/**
 * Makes sure, before any GPU time is spent, that the data is there and whole.
 */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import limitConcurrency from 'p-limit';
import { readAokvqa } from '../datasets/aokvqa.ts';
import { checkPicture } from '../datasets/check-pictures.ts';
import { writeSceneDataset } from '../datasets/scenes/write-dataset.ts';
import { readPromptTemplate } from '../generation/prompt-template.ts';
import { readQuestionTypes } from '../generation/question-types.ts';
import { hashValue } from '../store/hash.ts';
import { runStepOnce } from '../store/manifest.ts';
import { configuredSplits, type QuestionSet, questionSet } from './dataset-paths.ts';
import { outcomeOf } from './outcome-of.ts';
import type { PrepareDataOutcome } from './outcomes.ts';
import { questionTypesOf } from './question-types.ts';
import type { StepContext } from './step-context.ts';
import { usedPictures } from './used-pictures.ts';

/**
 * Renders the demo domain when the config asks for it and it is not there yet; then reads every dataset, decodes
 * every picture that the run may use, and has the teacher sort validation and test questions without a type.
 *
 * @throws InputError naming the file (and field) that is missing, cut short or wrong
 */
export async function prepareData(context: StepContext): Promise<PrepareDataOutcome> {
  const { config, run } = context;
  await renderScenes(context);
  // Small files whose faults would otherwise show only in round 1.
  await readQuestionTypes(config.data.questionTypes);
  await readPromptTemplate(config.teacher.prompt);
  const { questions, pictures } = await usedPictures(config);
  const done = await runStepOnce({
    directory: join(run.root, 'prepared-data'),
    step: 'prepare-data',
    inputs: { pictures: await fingerprint(pictures) },
    work: async () => {
      await checkPictures(context, pictures);
      return { outputs: [], metrics: { pictures: pictures.length } };
    },
  });
  await classifyQuestionSets(context);
  return { ...outcomeOf(done), questions, pictures: pictures.length };
}

async function renderScenes({ config, signal, onProgress }: StepContext): Promise<void> {
  const { scenes, root } = config.data;
  if (scenes === undefined) return;
  await writeSceneDataset({
    root,
    ...scenes,
    signal,
    onProgress: (step, steps) => onProgress({ phase: 'render', step, steps }),
  });
}

/** Sizes and times instead of contents: the pictures of COCO are 19 GB. */
async function fingerprint(pictures: string[]): Promise<string> {
  const limit = limitConcurrency(64);
  const facts = await Promise.all(
    pictures.map((picture) =>
      limit(async () => {
        const { size, mtimeMs } = (await stat(picture).catch(() => undefined)) ?? { size: -1, mtimeMs: -1 };
        return [picture, size, mtimeMs];
      }),
    ),
  );
  return hashValue(facts);
}

async function checkPictures({ signal, onProgress }: StepContext, pictures: string[]): Promise<void> {
  const limit = limitConcurrency(availableParallelism());
  let step = 0;
  const check = async (picture: string) => {
    signal.throwIfAborted();
    await checkPicture(picture);
    step += 1;
    onProgress({ phase: 'check pictures', step, steps: pictures.length });
  };
  try {
    await Promise.all(pictures.map((picture) => limit(check, picture)));
  } finally {
    limit.clearQueue();
  }
}

async function classifyQuestionSets(context: StepContext): Promise<void> {
  for (const split of configuredSplits(context.config)) {
    const set = questionSet(context.config, split) as QuestionSet;
    await questionTypesOf(context, (await readAokvqa(set.file)).slice(0, set.limit));
  }
}
