import { join } from 'node:path';
import { runStepOnce } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { countByType } from '../../datasets/compare-versions.ts';
import { readEngineData } from '../../datasets/engine-data.ts';
import { engineDataFile } from '../append/generated-data.ts';
import { finishedStep, requireRoundOf } from '../finished-step.ts';
import { readRequestsByType, requestsByTypeFile } from '../sample/results.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { type Audit, type AuditOutcome, auditFile } from './results.ts';

/** Compares what the teacher was asked for with what the filters left, by question type. */
export async function audit(context: StepContext): Promise<AuditOutcome> {
  const { run, round } = context;
  requireRoundOf('audit', round);
  const sampled = await finishedStep(run, round, 'sample');
  const refined = await finishedStep(run, round, 'refine');
  const directory = stepDirectory(run, round, 'audit');
  const done = await runStepOnce({
    directory,
    step: 'audit',
    inputs: {
      requested: sampled.manifest.outputs[requestsByTypeFile],
      accepted: refined.manifest.outputs[engineDataFile(round)],
    },
    work: async () => {
      const requested = await readRequestsByType(sampled.directory);
      const accepted = countByType(await readEngineData(join(refined.directory, engineDataFile(round))));
      const audit: Audit = Object.fromEntries(
        Object.entries(requested).map(([type, count]) => [type, { requested: count, accepted: accepted[type] ?? 0 }]),
      );
      await writeJson(join(directory, auditFile), audit);
      const counts = Object.values(audit);
      const empty = counts.filter((count) => count.requested > 0 && count.accepted === 0).length;
      return { outputs: [auditFile], metrics: { questionTypes: counts.length, empty } };
    },
  });
  const { questionTypes = 0, empty = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), questionTypes, empty };
}
