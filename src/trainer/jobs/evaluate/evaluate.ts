/** The evaluate job: the losses of every answer of a file of questions, and the answers that the model writes. */

import path from 'node:path';
import { hashValue } from '../../../core/hash.ts';
import { readJsonLines } from '../../../core/read-json.ts';
import { writeJsonLines } from '../../../core/write-file.ts';
import { familyOf } from '../../../model/families/index.ts';
import { type ModelDirectory, readModelDirectory } from '../../../model/files/model-directory.ts';
import type { ProductType } from '../../../model/ops/ops.ts';
import { Program } from '../../../model/ops/program.ts';
import { useComputeDtype } from '../../../model/ops/tensorflow.ts';
import { loadTokenizer } from '../../../model/text/tokenizer.ts';
import { type EvaluationQuestion, evaluationQuestionSchema, imagesOfQuestion } from '../../job-files.ts';
import { type EvaluateJob, type JobOutcome, type SettingsOf, trainerVersion } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { inBatches } from '../batch.ts';
import { frozenWeights, loadWeights } from '../frozen-weights.ts';
import { promptSettings, tokenizedOf } from '../sequence.ts';
import { imageFeatures } from '../vision/image-features.ts';
import { type AnswersSoFar, openAnswersSoFar } from './answers-so-far.ts';
import { packedShape, packQuestion } from './packed-choices.ts';
import { imagesOfBatch, requireKnownImages } from './question-images.ts';
import { traceScorer } from './score-choices.ts';
import { writeAnswers } from './write-answers.ts';

/**
 * Scores the answers of all questions of the file, then has those written that questions ask for. A job that was
 * interrupted resumes after the last batch that it finished, and ends with the same losses.
 *
 * @throws InputError for questions, images or a model that can't be used
 */
export async function evaluate(settings: SettingsOf<EvaluateJob>, reporter: JobReporter): Promise<JobOutcome> {
  const { batchSize, weightDtype, computeDtype, exif = 'apply' } = settings;
  const questions = await readJsonLines(settings.questions, evaluationQuestionSchema);
  const ranked = questions.filter(({ answers }) => answers.length > 0);
  const written = questions.filter(({ generate }) => generate !== undefined);
  const rankingSteps = 2 * Math.ceil(ranked.length / batchSize);
  const steps = rankingSteps + Math.ceil(written.length / batchSize);
  const { signal } = reporter;
  const productType = useComputeDtype(computeDtype);
  const model = await readModelDirectory(settings.model);
  requireKnownImages(settings.model, questions, settings.family?.promptForm ?? familyOf(model.config).promptForm);
  const job = hashOfJob(model, questions, {
    weightDtype,
    computeDtype,
    exif,
    tokenized: tokenizedOf(settings.family),
  });
  reporter.requireFence();
  const soFar = await openAnswersSoFar(settings.output, job);
  const alreadyAnswered = soFar.losses.size + soFar.texts.size;
  try {
    await rankAnswers({ ...settings, productType }, model, ranked, soFar, reporter, (step) =>
      reporter.progress({ step, steps }),
    ).finally(() => model.close());
    const openTexts = written.filter(({ question_id }) => !soFar.texts.has(question_id));
    const before = written.length - openTexts.length;
    const newTexts = await writeAnswers(settings.model, openTexts, {
      batchSize,
      weightDtype,
      productType,
      exif,
      signal,
      onTexts: async (texts) => {
        reporter.requireFence();
        await soFar.add(texts);
      },
      onProgress: (done) => reporter.progress({ step: rankingSteps + Math.ceil((before + done) / batchSize), steps }),
    });
    for (const [id, text] of newTexts) soFar.texts.set(id, text);
  } finally {
    await soFar.close();
  }
  const { losses, texts } = soFar;
  const lines = questions.map(({ question_id }) => {
    const text = texts.get(question_id);
    return { question_id, losses: losses.get(question_id) ?? [], ...(text !== undefined && { text }) };
  });
  reporter.requireFence();
  await writeJsonLines(settings.output, lines);
  await soFar.remove();
  return { outputs: [settings.output], metrics: { questions: questions.length, alreadyAnswered } };
}

/** What the answers depend on; the size of a batch changes nothing, and neither do the folders of the images. */
function hashOfJob(
  { weightsHash }: ModelDirectory,
  questions: readonly EvaluationQuestion[],
  settings: Pick<EvaluateJob, 'weightDtype' | 'computeDtype' | 'exif'> & { tokenized: string | undefined },
): string {
  const nameOf = (file: string) => path.basename(file);
  const named = questions.map(({ image, laterImages, ...words }) => ({
    ...words,
    image: image && nameOf(image),
    ...(laterImages && { laterImages: laterImages.map(nameOf) }),
  }));
  return hashValue({ trainerVersion, weightsHash, questions: named, ...settings });
}

/** Finds the losses of every question's answers that are not known yet; progress counts two steps a batch. */
async function rankAnswers(
  settings: SettingsOf<EvaluateJob> & { productType: ProductType },
  model: ModelDirectory,
  questions: readonly EvaluationQuestion[],
  soFar: AnswersSoFar,
  { signal, note, requireFence }: JobReporter,
  onProgress: (step: number) => void,
): Promise<void> {
  const isOpen = (some: readonly EvaluationQuestion[]) =>
    some.some(({ question_id }) => !soFar.losses.has(question_id));
  if (!isOpen(questions)) return;
  const { batchSize, weightDtype, productType } = settings;
  const program = new Program({ productType });
  try {
    const tokenizer = await loadTokenizer(settings.model);
    const prompts = promptSettings(model, tokenizer, note, settings.family?.promptForm);
    const packed = await Promise.all(questions.map((question) => packQuestion(question, prompts)));
    // Whole batches, those that are done too: the same shapes give the same losses to the last bit.
    const batches = inBatches(packed, batchSize);
    const questionBatches = inBatches(questions, batchSize);
    const weights = frozenWeights(program, model, { weightDtype, use: 'forward' });
    const scorer = traceScorer(program, weights, model.config, batches, batchSize);
    program.load();
    await loadWeights(program, model);

    const shown = questionBatches.filter(isOpen).flatMap((batch) => batch.flatMap(imagesOfQuestion));
    const features = await imageFeatures(model, shown, {
      exif: settings.exif,
      signal,
      onProgress: (done, total) => onProgress(Math.floor((batches.length * done) / total)),
    });
    try {
      for (const [index, batch] of batches.entries()) {
        const ofBatch = questionBatches[index] as EvaluationQuestion[];
        if (!isOpen(ofBatch)) continue;
        const images = features.batch(imagesOfBatch(ofBatch, packedShape(batch, batchSize).images));
        const found = scorer
          .score(batch, images)
          .map((losses, place) => ({ question_id: (ofBatch[place] as EvaluationQuestion).question_id, losses }));
        requireFence();
        await soFar.add(found);
        for (const { question_id, losses } of found) soFar.losses.set(question_id, losses);
        onProgress(batches.length + index + 1);
        await new Promise(setImmediate);
        signal.throwIfAborted();
      }
    } finally {
      features.dispose();
    }
  } finally {
    program.dispose();
  }
}
