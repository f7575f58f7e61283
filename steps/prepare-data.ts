/**
 * Makes sure, before any GPU time is spent, that the data is there and whole.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import limitConcurrency from 'p-limit';
import { readAokvqa } from '../datasets/aokvqa.ts';
import { writeSceneDataset } from '../datasets/scenes/write-dataset.ts';
import { hashValue } from '../store/hash.ts';
import { runStepOnce } from '../store/manifest.ts';
import { checkPictures } from './check-data.ts';
import { refuseProblems } from './data-problem.ts';
import { configuredSplits, type QuestionSet, questionSet } from './dataset-paths.ts';
import { outcomeOf } from './outcome-of.ts';
import type { PrepareDataOutcome } from './outcomes.ts';
import { questionTypesOf } from './question-types.ts';
import { readDatasets, type UsedPicture } from './read-datasets.ts';
import type { StepContext } from './step-context.ts';

/**
 * Renders the demo domain when the config asks for it and it is not there yet; then reads every dataset, decodes
 * every picture that the run may use, and has the teacher sort validation and test questions without a type.
 *
 * @throws InputError naming all files (and fields) that are missing, cut short or wrong
 */
export async function prepareData(context: StepContext): Promise<PrepareDataOutcome> {
  const { config, run } = context;
  const { root } = config.data;
  await renderScenes(context);
<<<<<<< HEAD
  const { questions, pictures, problems } = await readDatasets(config);
  if (problems.length > 0) refuseProblems([...problems, ...(await checkPictures(root, pictures, context))], root);
=======
  // Small files whose faults would otherwise show only in round 1.
  await readQuestionTypes(config.data.questionTypes);
  await readPromptTemplate(config.teacher.prompt);
  const { questions, pictures } = await usedPictures(config, run);
>>>>>>> 0bb8c14 (MMBench and SEED-Bench from their official files; evaluate any model on any benchmark, blind too; compare two models; benchmarks in the report)
  const done = await runStepOnce({
    directory: join(run.root, 'prepared-data'),
    step: 'prepare-data',
    inputs: { pictures: await fingerprint(pictures) },
    work: async () => {
      refuseProblems(await checkPictures(root, pictures, context), root);
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
async function fingerprint(pictures: readonly UsedPicture[]): Promise<string> {
  const limit = limitConcurrency(64);
  const facts = await Promise.all(
    pictures.map(({ file, width, height }) =>
      limit(async () => {
        const { size, mtimeMs } = (await stat(file).catch(() => undefined)) ?? { size: -1, mtimeMs: -1 };
        return [file, size, mtimeMs, width, height];
      }),
    ),
  );
  return hashValue(facts);
}

async function classifyQuestionSets(context: StepContext): Promise<void> {
  for (const split of configuredSplits(context.config)) {
    const set = questionSet(context.config, split) as QuestionSet;
    await questionTypesOf(context, (await readAokvqa(set.file)).slice(0, set.limit));
  }
}
