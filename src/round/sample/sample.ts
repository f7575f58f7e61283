import { join } from 'node:path';
import { difficultyOf, requestsOfRound } from '../../config/sample-schemas.ts';
import type { ImageId } from '../../core/images/image-id.ts';
import { configError } from '../../core/input-error.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { countBy, valueIn } from '../../core/records.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { readEngineData } from '../../datasets/engine-data.ts';
import {
  drawableWeights,
  type GenerationRequest,
  imageIdOf,
  sampleRequests,
} from '../../generation/sample-requests.ts';
import { generatedData } from '../append/generated-data.ts';
import { readClassifiedBadCases } from '../classify/results.ts';
import { poolInputs, withPool } from '../dataset-paths.ts';
import { answersFile, readAnswers } from '../evaluate/results.ts';
import { evaluatedImages, questionFiles } from '../evaluation-set.ts';
import { finishedStep, requireRoundOf } from '../finished-step.ts';
import { lastGoodRound, lineageBefore } from '../gate/lineage.ts';
import { requireDiskSpace } from '../preflight/disk-space.ts';
import { promptFile, readGenerationPrompt, readShortAnswerPrompt } from '../prompt-file.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { findNearestInPool } from './nearest-in-pool.ts';
import {
  readSampledRequests,
  requestsByTypeFile,
  requestsFile,
  type SampleOutcome,
  usedWeightsFile,
} from './results.ts';
import { samplingWeights } from './sampling-weights.ts';

/** Must be raised whenever the same inputs give other requests. */
const samplingVersion = 2;

/**
 * Draws the round's requests by Adaptive Bad-case Sampling, from the bad cases of the last good round. Images of an
 * evaluation are never drawn, nor images that the rounds built upon have used.
 */
export async function sample(context: StepContext): Promise<SampleOutcome> {
  const { config, run, round, signal } = context;
  requireRoundOf('sample', round);
  const difficulty = difficultyOf(config.sampling);
  const wanted = requestsOfRound(config.sampling);
  const classified = await finishedStep(run, await lastGoodRound(context, round), 'classify');
  const embedded = await finishedStep(run, round, 'embed', { weights: true });
  const template = await readGenerationPrompt(config, await promptFile(config, run, round));
  const short = await shortAnswers(context);
  const earlier = await earlierRequests(context);
  const weights = await samplingWeights(context);
  const directory = stepDirectory(run, round, 'sample');
  const done = await runStepOnce({
    directory,
    step: 'sample',
    inputs: {
      version: samplingVersion,
      classified: classified.manifest.outputs,
      ...(await poolInputs(config)),
      embeddings: embedded.manifest.outputs,
      earlierRequests: earlier.hashes,
      evaluation: await questionFiles(config),
      prompt: template.hash,
      ...(short && { shortAnswers: short.inputs }),
      // The number of shards that the images were embedded in makes no difference, nor what is kept afterwards.
      sampling: {
        ...config.sampling,
        embeddingShards: undefined,
        difficulty: difficulty && { candidates: difficulty.candidates },
      },
      gain: weights.inputs,
      setAside: weights.setAside,
      seed: config.seed,
      round,
    },
    work: async () => {
      // Before the teacher is paid and a GPU taken: a run that is continued was checked long ago.
      // Of a run in a store, the models are on other machines' disks.
      if (run.stored === undefined) await requireDiskSpace({ config, run }, 1);
      const badCases = await readClassifiedBadCases(classified.directory);
      const nearest = await findNearestInPool({
        run,
        imageIds: Object.values(badCases).flat().map(imageIdOf),
        count: config.sampling.nearestImages,
        signal,
      });
      const images = await withPool(config, (pool) => pool.list());
      const { inContextExamples, strategy } = config.sampling;
      const given = await weights.read(directory);
      const used = strategy === 'uniform' ? given : drawableWeights({ weights: given, badCases, inContextExamples });
      const badCaseWeights = await weights.readBadCaseWeights?.();
      const { requests, requestsByType } = sampleRequests({
        ...config.sampling,
        requests: wanted,
        strategy: strategy === 'uniform' ? 'uniform' : 'adaptive',
        badCases,
        badCaseWeight: badCaseWeights && (({ idx }) => badCaseWeights.get(idx) ?? 0),
        weights: used,
        images,
        imagesFrom: config.sampling.images,
        usedImageIds: new Set([...earlier.imageIds, ...(await evaluatedImages(context, images))]),
        nearest: (imageId) => nearest.get(imageId) ?? [],
        promptVersion: template.version,
        shortPromptVersion: short?.promptVersion,
        shortAnswerTypes: await short?.types(),
        seed: `${config.seed}/round-${round}`,
      });
      if (difficulty !== undefined) refuseShortAnswers(requests);
      await writeJsonLines(join(directory, requestsFile), requests);
      await writeJson(join(directory, requestsByTypeFile), requestsByType);
      await writeJson(join(directory, usedWeightsFile), used);
      return {
        outputs: [requestsFile, requestsByTypeFile, usedWeightsFile, ...weights.outputs],
        metrics: {
          requests: requests.length,
          ...(short && { shortAnswers: requests.filter(({ short_answer }) => short_answer).length }),
          withFewerExamples: requests.filter(({ examples }) => examples.length < inContextExamples).length,
        },
      };
    },
  });
  const drawn = done.manifest.metrics.requests ?? 0;
  return { ...outcomeOf(done), requests: drawn, ...(drawn < wanted && { wanted }) };
}

/** @throws InputError before the teacher is paid for samples of which nobody could say how difficult they are */
function refuseShortAnswers(requests: readonly GenerationRequest[]): void {
  const short = requests.filter(({ short_answer }) => short_answer).length;
  if (short === 0) return;
  throw configError(
    'sampling.strategy',
    `difficulty-window goes by how likely the model is to choose the right choice, and ${short} of ${requests.length} requests are for short answers, which have no choices`,
    'Choose adaptive or expected-gain',
  );
}

/** What requests for short answers depend on; only questions of your own have them. */
async function shortAnswers(context: StepContext) {
  const { config, run, round } = context;
  if (config.data.validation.questions === undefined) return undefined;
  const { directory, manifest } = await finishedStep(run, await lastGoodRound(context, round), 'evaluate');
  const { hash, version } = await readShortAnswerPrompt(config);
  return {
    promptVersion: version,
    inputs: { prompt: hash, answers: manifest.outputs[answersFile] },
    /** The question types that are mostly asked so. */
    types: async () => {
      const all = await readAnswers(directory);
      const asked = countBy(all, ({ question_type }) => question_type);
      const short = countBy(
        all.filter(({ choices }) => choices.length === 0),
        ({ question_type }) => question_type,
      );
      return new Set(
        Object.keys(short).filter((type) => 2 * (valueIn(short, type) ?? 0) > (valueIn(asked, type) ?? 0)),
      );
    },
  };
}

/** Images of candidates that were not kept are free again: most would be used up for nothing. */
async function earlierRequests(
  context: StepContext,
): Promise<{ hashes: (string | undefined)[]; imageIds: Set<ImageId> }> {
  const hashes: (string | undefined)[] = [];
  const imageIds = new Set<ImageId>();
  const lineage = await lineageBefore(context, context.round);
  if (difficultyOf(context.config.sampling) !== undefined) {
    for (const { file, hash } of await generatedData(context.run, lineage)) {
      hashes.push(hash);
      for (const sample of await readEngineData(file)) imageIds.add(sample.image_id);
    }
    return { hashes, imageIds };
  }
  const dataRounds = lineage.filter((round) => round > 0);
  for (const round of dataRounds) {
    const { directory, manifest } = await finishedStep(context.run, round, 'sample');
    hashes.push(manifest.outputs[requestsFile]);
    for (const request of await readSampledRequests(directory)) imageIds.add(request.image_id);
  }
  return { hashes, imageIds };
}
