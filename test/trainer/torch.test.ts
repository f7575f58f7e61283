/**
 * The trainer on PyTorch beside our own: the same job, the same numbers.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { promptForms } from '../../datasets/prompt-format.ts';
import { answerLossesSchema } from '../../evaluation/asked-question.ts';
import { readJsonLines } from '../../store/read-json.ts';
import type { JobSpec, TrainerMessage } from '../../trainer/protocol.ts';
import { runTrainer } from '../../trainer/run-trainer.ts';
import { torchTrainer } from '../../trainer/torch-trainer.ts';
import { evaluate } from '../../training/evaluate.ts';
import { finetune } from '../../training/finetune.ts';
import { merge } from '../../training/merge.ts';
import { lossesIn, maximumDifference, recordingReporter, tinyFinetune } from '../helpers/jobs.ts';
import { type TinyMixture, writeTinyMixture, writeTinyModel } from '../helpers/tiny-model.ts';
import { runningWith } from '../processes.ts';

const STEPS = 12;
// Each job starts Python anew, which takes long where the machine is busy.
vi.setConfig({ testTimeout: 1_200_000, hookTimeout: 1_200_000 });
const command = await torchTrainer(2).catch(() => undefined);
if (!command) console.log('The trainer torchrun is not set up (`dataengine setup --torch`): its tests are skipped');

/** The ranks that work in a folder. */
async function ranksIn(folder: string): Promise<number[]> {
  const rows = await runningWith(folder);
  return rows
    .filter(({ command: line }) => line.includes('rank.py') && !line.includes('launch.py'))
    .map(({ pid }) => pid);
}

describe.skipIf(!command).each(['minigpt4', 'llava'] as const)('torchrun with two processes, %s', (family) => {
  let folder: string;
  let model: string;
  let mixture: TinyMixture;
  let start: string;
  /** What a finetune that nobody disturbed left. */
  let theirs: string;
  const lora = {
    rank: 4,
    alpha: 8,
    dropout: 0,
    targetModules: ['q_proj', 'v_proj', 'down_proj'] as [string, ...string[]],
  };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'torch-'));
    model = path.join(folder, 'model');
    await writeTinyModel(model, { family });
    mixture = await writeTinyMixture(path.join(folder, 'mixture'), STEPS * 4, promptForms[family]);
    start = path.join(folder, 'start');
    await finetune(
      { ...job(start), startAdapter: undefined, steps: 5, batchSize: 2, microBatchSize: 2 },
      recordingReporter(),
    );
    theirs = path.join(folder, 'theirs');
    await run(job(theirs), { directory: theirs });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const job = (output: string) =>
    tinyFinetune(model, mixture, output, {
      startAdapter: start,
      lora,
      steps: STEPS,
      batchSize: 4,
      microBatchSize: 4,
      checkpointEverySteps: 4,
    });

  const run = (
    spec: JobSpec,
    {
      directory = path.join(folder, 'job'),
      processes = 2,
      onMessage,
      signal,
    }: {
      directory?: string;
      processes?: number;
      onMessage?: (message: TrainerMessage) => void;
      signal?: AbortSignal;
    } = {},
  ) =>
    torchTrainer(processes).then((torch) =>
      runTrainer({
        job: spec,
        directory,
        command: torch,
        stallTimeoutSeconds: 200,
        graceSeconds: 60,
        onMessage,
        signal,
      }),
    );

  test('the loss curve is our own trainer’s within 1e-3, and each reads the other’s adapter', async () => {
    const ours = path.join(folder, 'ours');
    await finetune(job(ours), recordingReporter());
    expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-3);

    const parity = { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 };
    await merge({ model, adapter: theirs, output: path.join(folder, 'merged-ours'), parity }, recordingReporter());
    const mergeJob: JobSpec = {
      kind: 'merge',
      model,
      adapter: ours,
      output: path.join(folder, 'merged-theirs'),
      parity,
    };
    const merged = await run(mergeJob, { processes: 1 });
    expect(merged.metrics.maximumDifference).toBeLessThan(1e-4);

    const losses = async (output: string) =>
      (await readJsonLines(output, answerLossesSchema)).flatMap((line) => line.losses);
    const asked = { model: path.join(folder, 'merged-theirs'), questions: mixture.asked, batchSize: 4 };
    const [scoredByUs, scoredByThem] = [path.join(folder, 'us.jsonl'), path.join(folder, 'them.jsonl')];
    await evaluate({ ...asked, output: scoredByUs }, recordingReporter());
    await run({ kind: 'evaluate', ...asked, output: scoredByThem });
    expect(maximumDifference(await losses(scoredByThem), await losses(scoredByUs))).toBeLessThan(1e-3);
  });

  test.skipIf(family === 'llava')(
    'one rank killed ends the job; it goes on from its checkpoint, with another number of processes too',
    async () => {
      const killed = path.join(folder, 'killed');
      let shot = false;
      const attempt = run(job(killed), {
        directory: killed,
        onMessage: (message) => {
          if (message.type !== 'checkpoint' || shot) return;
          shot = true;
          void ranksIn(killed).then((ranks) => process.kill(ranks.at(-1) as number, 'SIGKILL'));
        },
      });
      await expect(attempt).rejects.toMatchObject({ name: 'TrainerError', retryable: true });
      for (let wait = 0; (await ranksIn(killed)).length > 0 && wait < 100; wait += 1) await sleep(100);
      expect(await ranksIn(killed)).toEqual([]);

      const { metrics } = await run(job(killed), { directory: killed, processes: 1 });
      expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(4);
      expect(maximumDifference(await lossesIn(killed), await lossesIn(theirs))).toBeLessThan(1e-3);
      expect(existsSync(path.join(killed, 'adapter_model.safetensors'))).toBe(true);
    },
  );

  test.skipIf(family === 'llava')(
    'asked to stop it writes a checkpoint; wrong input is told and not tried again',
    async () => {
      const output = path.join(folder, 'stopped');
      const abort = new AbortController();
      const checkpoints: number[] = [];
      const attempt = run(job(output), {
        directory: output,
        signal: abort.signal,
        onMessage: (message) => {
          if (message.type === 'progress') abort.abort(new Error('asked to stop'));
          if (message.type === 'checkpoint') checkpoints.push(message.step);
        },
      });
      await expect(attempt).rejects.toThrow('asked to stop');
      const lines = (await readFile(path.join(output, 'loss.jsonl'), 'utf8')).trim().split('\n');
      expect(existsSync(path.join(output, 'checkpoints', `torch-${String(lines.length).padStart(8, '0')}.json`))).toBe(
        true,
      );

      const wrong = run({ ...job(path.join(folder, 'wrong')), maximumTokens: 3 });
      await expect(wrong).rejects.toMatchObject({ kind: 'input', message: expect.stringContaining('maximumTokens') });
    },
  );
});
