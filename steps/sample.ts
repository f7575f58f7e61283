import { join } from 'node:path';
import { readBadCases, readWeights } from '../evaluation/records.ts';
import { readRequests } from '../generation/generation-request.ts';
import { readPromptTemplate } from '../generation/prompt-template.ts';
import { imageIdOf, sampleRequests } from '../generation/sample-requests.ts';
import { hashFile } from '../store/hash.ts';
import { readManifest, runStepOnce } from '../store/manifest.ts';
import { stepDirectory } from '../store/run-directory.ts';
import { writeFileAtomically, writeJson } from '../store/write-file.ts';
import { badCasesFile, weightsFile } from './classify.ts';
import { poolAnnotations } from './dataset-paths.ts';
import { finishedStep } from './finished-step.ts';
import { outcomeOf } from './outcome-of.ts';
import type { SampleOutcome } from './outcomes.ts';
import { embeddingsDirectory, findNearestInPool } from './picture-embeddings.ts';
import { withPool } from './pool.ts';
import { requireDataRound } from './require-data-round.ts';
import type { StepContext } from './step-context.ts';

export const requestsFile = 'requests.jsonl';
export const requestsByTypeFile = 'requests_by_type.json';

/** Draws the round's requests by Adaptive Bad-case Sampling, from the round before. */
export async function sample(context: StepContext): Promise<SampleOutcome> {
  const { config, run, round, signal } = context;
  requireDataRound(round, 'sample');
  const classified = await finishedStep(run, round - 1, 'classify');
  const annotations = poolAnnotations(config);
  const template = await readPromptTemplate(config.teacher.prompt);
  const earlier = await earlierRequests(context);
  const directory = stepDirectory(run, round, 'sample');
  const done = await runStepOnce({
    directory,
    step: 'sample',
    inputs: {
      classified: classified.manifest.outputs,
      instances: await hashFile(annotations.instances),
      captions: await hashFile(annotations.captions),
      embeddings: (await readManifest(embeddingsDirectory(run)))?.outputs,
      earlierRequests: earlier.hashes,
      prompt: template.hash,
      sampling: config.sampling,
      seed: config.seed,
      round,
    },
    work: async () => {
      const badCases = await readBadCases(join(classified.directory, badCasesFile));
      const nearest = await findNearestInPool({
        run,
        imageIds: Object.values(badCases).flat().map(imageIdOf),
        count: config.sampling.nearestPictures,
        signal,
      });
      const { requests, requestsByType } = sampleRequests({
        ...config.sampling,
        badCases,
        weights: await readWeights(join(classified.directory, weightsFile)),
        pictures: await withPool(config, async ({ pictures }) => pictures),
        usedImageIds: earlier.imageIds,
        nearest: (imageId) => nearest.get(imageId) ?? [],
        promptVersion: template.version,
        seed: `${config.seed}/round-${round}`,
      });
      await writeFileAtomically(
        join(directory, requestsFile),
        requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
      );
      await writeJson(join(directory, requestsByTypeFile), requestsByType);
      return { outputs: [requestsFile, requestsByTypeFile], metrics: { requests: requests.length } };
    },
  });
  return { ...outcomeOf(done), requests: done.manifest.metrics.requests ?? 0 };
}

async function earlierRequests({
  run,
  round,
}: StepContext): Promise<{ hashes: (string | undefined)[]; imageIds: Set<number> }> {
  const hashes: (string | undefined)[] = [];
  const imageIds = new Set<number>();
  for (let earlier = 1; earlier < round; earlier += 1) {
    const { directory, manifest } = await finishedStep(run, earlier, 'sample');
    hashes.push(manifest.outputs[requestsFile]);
    for (const request of await readRequests(join(directory, requestsFile))) imageIds.add(request.image_id);
  }
  return { hashes, imageIds };
}
