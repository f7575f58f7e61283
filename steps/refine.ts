import { join } from 'node:path';
import { type EngineSample, readEngineData } from '../datasets/engine-data.ts';
import { readRequests } from '../generation/generation-request.ts';
import { readRawAnswers } from '../generation/raw-answers.ts';
import { refineAnswers } from '../generation/refine.ts';
import { runStepOnce } from '../store/manifest.ts';
import { stepDirectory } from '../store/run-directory.ts';
import { writeFileAtomically, writeJson } from '../store/write-file.ts';
import { engineDataFile, generatedData } from './engine-data-files.ts';
import { finishedStep } from './finished-step.ts';
import { rawAnswersFile } from './generate.ts';
import { outcomeOf } from './outcome-of.ts';
import type { RefineOutcome } from './outcomes.ts';
import { requireDataRound } from './require-data-round.ts';
import { requestsFile } from './sample.ts';
import type { StepContext } from './step-context.ts';

export const rejectedFile = 'rejected.jsonl';
export const rejectedByReasonFile = 'rejected_by_reason.json';

/** Parses and filters the teacher's answers, and drops what an earlier round has already. */
export async function refine(context: StepContext): Promise<RefineOutcome> {
  const { config, run, round } = context;
  requireDataRound(round, 'refine');
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const earlier = await generatedData(run, round - 1);
  const directory = stepDirectory(run, round, 'refine');
  const done = await runStepOnce({
    directory,
    step: 'refine',
    inputs: {
      requests: sampled.manifest.outputs[requestsFile],
      answers: generated.manifest.outputs[rawAnswersFile],
      earlier: earlier.map(({ hash }) => hash),
      seed: config.seed,
      round,
    },
    work: async () => {
      const requests = await readRequests(join(sampled.directory, requestsFile));
      const earlierSamples: EngineSample[] = [];
      for (const { file } of earlier) earlierSamples.push(...(await readEngineData(file)));
      const { samples, rejected, countsByReason } = refineAnswers({
        answers: await readRawAnswers(join(generated.directory, rawAnswersFile), requests),
        earlierSamples,
        seed: `${config.seed}/round-${round}`,
      });
      await writeJson(join(directory, engineDataFile(round)), samples);
      await writeFileAtomically(
        join(directory, rejectedFile),
        rejected.map((answer) => `${JSON.stringify(answer)}\n`).join(''),
      );
      await writeJson(join(directory, rejectedByReasonFile), countsByReason);
      return {
        outputs: [engineDataFile(round), rejectedFile, rejectedByReasonFile],
        metrics: { accepted: samples.length, rejected: rejected.length },
      };
    },
  });
  const { accepted = 0, rejected = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), accepted, rejected };
}
