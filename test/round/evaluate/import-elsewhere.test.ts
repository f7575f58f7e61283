/** Answers that were imported on one machine, and a round that goes on elsewhere: from a store, and on Temporal. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { readScores } from '../../../src/evaluation/evaluation-files.ts';
import { evaluate } from '../../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { merge } from '../../../src/round/merge/merge.ts';
import { withNewRun } from '../../../src/round/open-run.ts';
import { ownWholeStep } from '../../../src/round/own-folders.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import type { StepName } from '../../../src/round/steps.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import { extensions } from '../../../workers/extensions.ts';
import type { DataEngineResult } from '../../../workflows/messages.ts';
import { dataengine, printedBy } from '../../cli/in-this-process.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { startEnvironment, type WorkflowTestEnvironment, withWorkers } from '../../workflows/environment.ts';
import { writeOwnRun } from '../own-questions-run.ts';
import { pretendTrainerEntry } from '../tiny-run.ts';
import { excel, rows } from './results-of-others.ts';

/** Percent, by the scores of the file. */
const imported = (100 * (4 + 0.25 + 0.75 + 1 + 0 + 0.4 + 1)) / 12;
const trainer = typescriptTrainer(pretendTrainerEntry);

describe.skipIf(s3Server === undefined)('a run in a store', () => {
  useS3Server();
  const store = `s3://${bucket}/imported`;

  /** A machine with a data root of its own. */
  async function machine() {
    const { file, folder } = await writeOwnRun((config) => ({ ...config, store }));
    const config = await loadConfig(file);
    const does = (step: StepName, work: (context: StepContext) => Promise<unknown>) => {
      const { signal } = new AbortController();
      const onProgress = () => undefined;
      const owns = ownWholeStep(0, step);
      return withNewRun(config, 'shared', { signal, onProgress, extensions, owns }, (open) =>
        work({ ...open, round: 0, onProgress, trainer }),
      );
    };
    return { file, does, evaluation: join(folder, 'runs/shared/round-0/evaluate') };
  }

  test('takes what another machine imported', async () => {
    const [gpu, laptop] = [await machine(), await machine()];
    await gpu.does('finetune', finetune);
    await gpu.does('merge', merge);
    const printed = await printedBy(
      ...['evaluate', 'import', await excel(rows), '--config', laptop.file, '--run', 'shared'],
    );
    expect(printed).toMatch(/evaluate import done[\s\S]*questions: 12[\s\S]*right: 7/);
    expect(await gpu.does('evaluate', evaluate)).toMatchObject({
      ...{ questions: 12, multipleChoice: expect.closeTo(imported, 6), reused: false },
    });
    expect((await readScores(gpu.evaluation)).imported).toMatchObject({ program: 'VLMEvalKit', measure: 'hit' });
    expect(await laptop.does('evaluate', evaluate)).toMatchObject({ reused: true });
  });
});

describe('a run on Temporal', { timeout: 300_000 }, () => {
  let environment: WorkflowTestEnvironment;
  beforeAll(async () => {
    environment = await startEnvironment();
  }, 300_000);
  afterAll(() => environment?.temporal.teardown());

  test('started again, its workers take what was imported in between', async () => {
    const { file, folder } = await writeOwnRun((config) => ({ ...config, rounds: 0 }));
    const run = (workflowId: string): Promise<DataEngineResult> =>
      environment.temporal.client.workflow.execute('dataEngine', {
        ...{ taskQueue: 'data-engine', workflowId },
        args: [{ config: file, run: 'steered' }],
      });
    await withWorkers(environment, trainer, async () => {
      const before = await run('before');
      expect(before.rounds[0]?.multipleChoice).not.toBeCloseTo(imported, 3);
      const { address } = environment.temporal;
      await dataengine(address, 'evaluate', 'import', await excel(rows), '--config', file, '--run', 'steered');
      const after = await run('after');
      expect(after.rounds[0]?.multipleChoice).toBeCloseTo(imported, 6);
    });
    const scores = await readScores(join(folder, 'runs/steered/round-0/evaluate'));
    expect(scores.imported).toMatchObject({ program: 'VLMEvalKit', results: 'model_own_result.xlsx' });
  });
});
