import { join } from 'node:path';
import { preferenceOf } from '../../config/preference-schema.ts';
import { type Manifest, runStepOnce } from '../../core/manifest.ts';
import { roundDirectory } from '../../core/run-directory.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { countByType } from '../../datasets/compare-versions.ts';
import { appendVersion, type DatasetVersion, type NewVersion, parentOf } from '../../datasets/versions.ts';
import { costOf, type TokenPrice } from '../../teacher/prices.ts';
import { finishedStep, manifestIn, requireRoundOf } from '../finished-step.ts';
import { promptFile, readGenerationPrompt, readShortAnswerPrompt } from '../prompt-file.ts';
import { type AppliedReview, reviewOf } from '../review/apply-decisions.ts';
import { keptSamples } from '../select/kept-samples.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { paidPrice, teacherName } from '../teacher.ts';
import { engineDataFile } from './generated-data.ts';
import { inputsOfPairs, pairsFile, pairsOf } from './pairs.ts';
import { type AppendOutcome, readVersionId, reviewFile, versionFile } from './results.ts';

/**
 * Writes the round's samples to `round-<k>/DataEngine_round<k>_data.json` and adds them as a dataset version. Appending the
 * same data again changes nothing; other data for the same round becomes a new version beside the old one. What a person decided
 * about samples is applied, and kept with the version. With `refine.review: manual` nothing is appended before all are decided.
 * Where the config learns from preference pairs, those of the samples are `pairs.jsonl` of the step's folder.
 */
export async function append(context: StepContext): Promise<AppendOutcome> {
  const { config, run, round } = context;
  requireRoundOf('append', round);
  const kept = await keptSamples(context);
  const generated = await finishedStep(run, round, 'generate');
  const verified = await manifestIn(run, stepDirectory(run, round, 'verify'));
  const prompt = await promptOf(context);
  const price = await paidPrice(context);
  const name = engineDataFile(round);
  const published = join(roundDirectory(run, round), name);
  const directory = stepDirectory(run, round, 'append');
  const all = await kept.read();
  const review = await reviewOf(context, all);
  const undecided = config.refine.review === 'manual' ? review?.counts.undecided : 0;
  const preference = preferenceOf(config.finetune);
  const isAllRejected = review?.counts.rejected === all.length;
  if (undecided || isAllRejected) return { seconds: 0, reused: false, version: '', samplesAdded: 0, undecided };
  const done = await runStepOnce({
    directory,
    step: 'append',
    inputs: {
      data: kept.hash,
      rejected: kept.rejectedHash,
      parent: (await parentOf(run.root, round))?.id ?? '',
      teacher: teacherName(context),
      prompt: prompt.hash,
      seed: config.seed,
      round,
      ...(review && { review: review.decisions }),
      ...(preference && (await inputsOfPairs(context, preference))),
    },
    work: async () => {
      const samples = review === undefined ? all : await review.apply();
      await writeJson(published, samples);
      const { version } = await appendVersion(run.root, {
        round,
        files: [{ name, path: published, samples: samples.length }],
        countsByType: countByType(samples),
        teacher: teacherName(context),
        promptVersion: prompt.version,
        seed: config.seed,
        cost: costOfAnswers([generated.manifest, verified], price),
        rejected: kept.rejected,
        rejectedByReason: await kept.readRejectedByReason(),
        ...(review && (await keptReview(review, directory))),
      });
      await writeJson(join(directory, versionFile), version);
      const outputs = [published, versionFile, ...(review ? [reviewFile] : [])];
      const metrics = { samples: samples.length };
      if (preference === undefined) return { outputs, metrics };
      const pairs = await pairsOf(context, preference, samples);
      await writeJsonLines(join(directory, pairsFile), pairs);
      return { outputs: [...outputs, pairsFile], metrics: { ...metrics, pairs: pairs.length } };
    },
  });
  return {
    ...outcomeOf(done),
    version: await readVersionId(directory),
    samplesAdded: done.manifest.metrics.samples ?? 0,
  };
}

/** The prompts of the round's requests. */
async function promptOf({ config, run, round }: StepContext): Promise<{ hash: string; version: string }> {
  const template = await readGenerationPrompt(config, await promptFile(config, run, round));
  const { requests = 0, shortAnswers = 0 } = (await finishedStep(run, round, 'sample')).manifest.metrics;
  if (shortAnswers === 0) return template;
  const short = await readShortAnswerPrompt(config);
  const used = shortAnswers === requests ? [short] : [template, short];
  return {
    hash: used.map(({ hash }) => hash).join(' '),
    version: used.map(({ version }) => version).join(', '),
  };
}

/** Writes down the decisions that count, for the version. */
async function keptReview(
  { counts, decisions }: AppliedReview,
  directory: string,
): Promise<Pick<NewVersion, 'review'>> {
  const path = join(directory, reviewFile);
  await writeJsonLines(path, decisions);
  return { review: { ...counts, path } };
}

/**
 * The cost of the round's answers by their tokens. Answers that were lost on the way don't count: with them the same data
 * would become another version.
 */
function costOfAnswers(
  steps: readonly (Manifest | undefined)[],
  price: TokenPrice | undefined,
): DatasetVersion['cost'] {
  const sum = (metric: string) => steps.reduce((total, step) => total + (step?.metrics[metric] ?? 0), 0);
  const tokens = { promptTokens: sum('promptTokens'), completionTokens: sum('completionTokens') };
  return price === undefined ? tokens : { ...tokens, amount: costOf(price, tokens), currency: price.currency };
}
