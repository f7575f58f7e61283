/**
 * Makes sure, before any GPU time is spent, that the data is there and whole.
 */
import { stat } from 'node:fs/promises';
import limitConcurrency from 'p-limit';
import { hashValue } from '../../core/hash.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { readAokvqa } from '../../datasets/aokvqa.ts';
import { knownQuestionTypes } from '../../evaluation/question-type-of.ts';
import { checkImages } from '../check-data.ts';
import { refuseProblems } from '../data-problem.ts';
import { prepareDataSources } from '../data-sources.ts';
import { configuredSplits, type QuestionSet, questionSet } from '../dataset-paths.ts';
import { evaluationSets, extractedImagesFolder, readEvaluationSet } from '../evaluation-sets.ts';
import { outcomeOf } from '../outcome-of.ts';
import type { PrepareDataOutcome } from '../outcomes.ts';
import { questionTypesOf, reportAgreement } from '../question-types.ts';
import { readDatasets, type UsedImage } from '../read-datasets.ts';
import type { StepContext } from '../step-context.ts';
import { directoryOf } from '../step-directory.ts';

/**
 * Makes the data that the config asks a data source for, unless it is there; then reads every dataset, decodes
 * every image that the run may use, and has the teacher sort validation and test questions without a type.
 *
 * @throws InputError naming all files (and fields) that are missing, cut short or wrong
 */
export async function prepareData(context: StepContext): Promise<PrepareDataOutcome> {
  const { config, run } = context;
  const { root } = config.data;
  await prepareDataSources(context);
  const read = await readDatasets(config);
  const named = await readNamedBenchmarks(context);
  const { problems } = read;
  const questions = read.questions + named.questions;
  const images = [...read.images, ...named.images];
  if (problems.length > 0) refuseProblems([...problems, ...(await checkImages(root, images, context))], root);
  const done = await runStepOnce({
    directory: directoryOf(run, 0, 'prepare-data') as string,
    step: 'prepare-data',
    inputs: { images: await fingerprint(images) },
    work: async () => {
      refuseProblems(await checkImages(root, images, context), root);
      return { outputs: [], metrics: { images: images.length } };
    },
  });
  await classifyQuestionSets(context);
  return { ...outcomeOf(done), questions, images: images.length };
}

/** The benchmarks beside validation and test; images that their files hold are put into the run's folder. */
async function readNamedBenchmarks({ config, run }: StepContext): Promise<{ questions: number; images: UsedImage[] }> {
  const files = new Set<string>();
  let questions = 0;
  for (const set of evaluationSets(config, run).slice(configuredSplits(config).length)) {
    const asked = await readEvaluationSet(set, extractedImagesFolder(run));
    questions += asked.length;
    for (const { image } of asked) if (!set.blind) files.add(image);
  }
  return { questions, images: [...files].map((file) => ({ file })) };
}

/** Sizes and times instead of contents: the images of COCO are 19 GB. */
async function fingerprint(images: readonly UsedImage[]): Promise<string> {
  const limit = limitConcurrency(64);
  const facts = await Promise.all(
    images.map(({ file, width, height }) =>
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
    const questions = (await readAokvqa(set.file)).slice(0, set.limit);
    await questionTypesOf(context, questions);
    // Those that the teacher had to sort; where a classified file lies beside theirs, it tells how well it did.
    if (split === 'validation') await reportAgreement(context, set, knownQuestionTypes(questions).missing);
  }
}
