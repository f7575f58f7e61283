/**
 * Checks, before GPU time is spent, that the data is complete.
 */

import { stat } from 'node:fs/promises';
import limitConcurrency from 'p-limit';
import { hashValue } from '../../core/hash.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { emptyRecord } from '../../core/records.ts';
import { checkImages } from '../check-data.ts';
import { joinProblems, refuseProblems } from '../data-problem.ts';
import { prepareDataSources } from '../data-sources.ts';
import { configuredSplits, type QuestionSet, questionSet } from '../dataset-paths.ts';
import { questionTypesFile } from '../discover/type-lists.ts';
import { confirmOtherRequests } from '../estimate-requests.ts';
import { evaluationSets, extractedImagesFolder } from '../evaluation-sets.ts';
import { readLoopQuestions } from '../loop-questions.ts';
import { leavesTeacher } from '../preflight/checks.ts';
import { preflight } from '../preflight/preflight.ts';
import { knownQuestionTypes, questionTypesOf, reportAgreement } from '../question-types.ts';
import { type LeftOutRecords, readDatasets, type UsedImage } from '../read-datasets.ts';
import { lengthCheck } from '../refine/sample-length.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { directoryOf } from '../step-directory.ts';
import { refuseJudgedAnswers, verifies } from '../verify/verify.ts';
import type { PrepareDataOutcome } from './results.ts';

/**
 * Makes the data of the config's data source, unless it exists; then reads every dataset, decodes
 * every image that the run may use, and has the teacher classify validation and test questions without a type.
 *
 * @throws InputError naming all files (and fields) that are missing, cut short or wrong, the tokenizer's among them
 */
export async function prepareData(context: StepContext): Promise<PrepareDataOutcome> {
  const { config, run } = context;
  const { root, exif } = config.data;
  const since = new Date();
  await prepareDataSources(context);
  const before = await preflight(context);
  const { questions, images, problems, leftOut } = await readDatasets(config, {
    sets: evaluationSets(config, run),
    extractedImages: extractedImagesFolder(run),
  });
  const all = joinProblems(before.problems, problems);
  if (all.length > 0) refuseProblems([...all, ...(await checkImages(root, images, { ...context, exif }))], root);
  // What refining needs of the model is missed before the teacher is paid, not after.
  if (config.rounds > 0) await lengthCheck(config);
  const done = await runStepOnce({
    directory: directoryOf(run, 0, 'prepare-data') as string,
    step: 'prepare-data',
    inputs: { images: await fingerprint(images), exif },
    since,
    work: async () => {
      refuseProblems(await checkImages(root, images, { ...context, exif }), root);
      return { outputs: [], metrics: { images: images.length } };
    },
  });
  await classifyQuestionSets(await confirmOtherRequests(context, ['classification']));
  return {
    ...outcomeOf(done),
    questions,
    images: images.length,
    ...(leftOut.length > 0 && { leftOut: sumByReason(leftOut) }),
    ...(before.notes.length > 0 && { notes: before.notes }),
    ...(leavesTeacher(context) && { leavesTeacher: true }),
  };
}

function sumByReason(datasets: readonly LeftOutRecords[]): Record<string, number> {
  const sums: Record<string, number> = emptyRecord();
  for (const [reason, count] of datasets.flatMap(({ countsByReason }) => Object.entries(countsByReason))) {
    sums[reason] = (sums[reason] ?? 0) + count;
  }
  return sums;
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
  // Types that are discovered are known only after round 0 is evaluated.
  const { config, run, round } = context;
  if (config.questionTypes.source === 'discover') return;
  if (config.questionTypes.source === 'column') await questionTypesFile(config, run, round);
  for (const split of configuredSplits(context.config)) {
    const set = questionSet(context.config, split) as QuestionSet;
    const questions = await readLoopQuestions(context, split);
    if (split === 'validation' && verifies(context.config)) {
      refuseJudgedAnswers(context, questions.filter(({ choices = [] }) => choices.length === 0).length);
    }
    await questionTypesOf(context, questions);
    // For questions that the teacher classified, a classified file beside theirs shows how well.
    if (split === 'validation') await reportAgreement(context, set, knownQuestionTypes(questions).missing);
  }
}
