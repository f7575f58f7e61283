import { join } from 'node:path';
import { z } from 'zod';
import { readEngineData } from '../datasets/engine-data.ts';
import { appendVersion } from '../datasets/versions.ts';
import { readPromptTemplate } from '../generation/prompt-template.ts';
import { runStepOnce } from '../store/manifest.ts';
import { readJson } from '../store/read-json.ts';
import { roundDirectory, stepDirectory } from '../store/run-directory.ts';
import { writeJson } from '../store/write-file.ts';
import { engineDataFile } from './engine-data-files.ts';
import { finishedStep } from './finished-step.ts';
import { outcomeOf } from './outcome-of.ts';
import type { AppendOutcome } from './outcomes.ts';
import { requireDataRound } from './require-data-round.ts';
import type { StepContext } from './step-context.ts';

const versionFile = 'version.json';
const versionSchema = z.object({ id: z.string() });

/**
 * Publishes the round's samples as `round-<k>/DataEngine_round<k>_data.json` and adds them as a dataset version.
 * Appending the same data again changes nothing.
 *
 * @throws InputError when a later round builds on other data of this round
 */
export async function append(context: StepContext): Promise<AppendOutcome> {
  const { config, run, round } = context;
  requireDataRound(round, 'append');
  const refined = await finishedStep(run, round, 'refine');
  const template = await readPromptTemplate(config.teacher.prompt);
  const name = engineDataFile(round);
  const published = join(roundDirectory(run, round), name);
  const directory = stepDirectory(run, round, 'append');
  const done = await runStepOnce({
    directory,
    step: 'append',
    inputs: {
      data: refined.manifest.outputs[name],
      teacher: config.teacher.model,
      prompt: template.hash,
      seed: config.seed,
      round,
    },
    work: async () => {
      const samples = await readEngineData(join(refined.directory, name));
      await writeJson(published, samples);
      const { version } = await appendVersion(run.root, {
        round,
        files: [{ name: `round-${round}/${name}`, samples: samples.length }],
        countsByType: countByType(samples),
        teacher: config.teacher.model,
        promptVersion: template.version,
        seed: config.seed,
        rejected: refined.manifest.metrics.rejected ?? 0,
      });
      await writeJson(join(directory, versionFile), version);
      return { outputs: [published, versionFile], metrics: { samples: samples.length } };
    },
  });
  const { id } = await readJson(join(directory, versionFile), versionSchema);
  return { ...outcomeOf(done), version: id, samplesAdded: done.manifest.metrics.samples ?? 0 };
}

function countByType(samples: readonly { question_type: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { question_type: type } of samples) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
