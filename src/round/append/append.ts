import { join } from 'node:path';
import { z } from 'zod';
import { type Manifest, runStepOnce } from '../../core/manifest.ts';
import { readJson } from '../../core/read-json.ts';
import { roundDirectory } from '../../core/run-directory.ts';
import { writeJson } from '../../core/write-file.ts';
import { countByType } from '../../datasets/compare-versions.ts';
import { readEngineData } from '../../datasets/engine-data.ts';
import { appendVersion, type DatasetVersion, parentOf } from '../../datasets/versions.ts';
import { costOf, type TokenPrice } from '../../teacher/prices.ts';
import { readPromptTemplate } from '../../teacher/prompt-template.ts';
import { finishedStep, manifestIn } from '../finished-step.ts';
import { outcomeOf } from '../outcome-of.ts';
import type { AppendOutcome } from '../outcomes.ts';
import { promptFile } from '../prompt-file.ts';
import { rejectedByReasonFile } from '../refine/refine.ts';
import { requireDataRound } from '../require-data-round.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { paidPrice, teacherName } from '../teacher.ts';
import { engineDataFile } from './generated-data.ts';

const versionFile = 'version.json';
const versionSchema = z.object({ id: z.string() });
const countsSchema = z.record(z.string(), z.number());

/**
 * Publishes the round's samples as `round-<k>/DataEngine_round<k>_data.json` and adds them as a dataset version.
 * Appending the same data again changes nothing; other data for the same round is a new version beside the old one.
 */
export async function append(context: StepContext): Promise<AppendOutcome> {
  const { config, run, round } = context;
  requireDataRound(round, 'append');
  const refined = await finishedStep(run, round, 'refine');
  const generated = await finishedStep(run, round, 'generate');
  const verified = await manifestIn(run, stepDirectory(run, round, 'verify'));
  const template = await readPromptTemplate(await promptFile(config, run, round));
  const price = await paidPrice(context);
  const name = engineDataFile(round);
  const published = join(roundDirectory(run, round), name);
  const directory = stepDirectory(run, round, 'append');
  const done = await runStepOnce({
    directory,
    step: 'append',
    inputs: {
      data: refined.manifest.outputs[name],
      rejected: refined.manifest.outputs[rejectedByReasonFile],
      parent: (await parentOf(run.root, round))?.id ?? '',
      teacher: teacherName(context),
      prompt: template.hash,
      seed: config.seed,
      round,
    },
    work: async () => {
      const samples = await readEngineData(join(refined.directory, name));
      await writeJson(published, samples);
      const { version } = await appendVersion(run.root, {
        round,
        files: [{ name, path: published, samples: samples.length }],
        countsByType: countByType(samples),
        teacher: teacherName(context),
        promptVersion: template.version,
        seed: config.seed,
        cost: costOfAnswers([generated.manifest, verified], price),
        rejected: refined.manifest.metrics.rejected ?? 0,
        rejectedByReason: await readJson(join(refined.directory, rejectedByReasonFile), countsSchema),
      });
      await writeJson(join(directory, versionFile), version);
      return { outputs: [published, versionFile], metrics: { samples: samples.length } };
    },
  });
  const { id } = await readJson(join(directory, versionFile), versionSchema);
  return { ...outcomeOf(done), version: id, samplesAdded: done.manifest.metrics.samples ?? 0 };
}

/**
 * What the answers of the round cost, by their tokens. What was spent on answers that were lost on the way is not in it:
 * it would make the same data another version.
 */
function costOfAnswers(
  steps: readonly (Manifest | undefined)[],
  price: TokenPrice | undefined,
): DatasetVersion['cost'] {
  const sum = (metric: string) => steps.reduce((total, step) => total + (step?.metrics[metric] ?? 0), 0);
  const tokens = { promptTokens: sum('promptTokens'), completionTokens: sum('completionTokens') };
  return price === undefined ? tokens : { ...tokens, amount: costOf(price, tokens), currency: price.currency };
}
