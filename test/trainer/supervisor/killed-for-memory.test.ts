/** A trainer that the kernel kills for lack of memory is told apart from one that was killed for another reason. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FinetuneJob, JobSpec } from '../../../src/trainer/protocol.ts';
import { plannedMemory } from '../../../src/trainer/supervisor/planned-memory.ts';
import { retryWithSmallerBatch } from '../../../src/trainer/supervisor/retry-with-smaller-batch.ts';
import { runTrainer } from '../../../src/trainer/supervisor/run-trainer.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import type { TrainerError } from '../../../src/trainer/supervisor/trainer-error.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';
import type { Action } from './scripted-trainer.ts';

const MEGABYTE = 1e6;
let directory: string;
let cgroups: string;

beforeEach(async () => {
  directory = await temporaryFolder();
  cgroups = join(directory, 'cgroup');
  await mkdir(cgroups);
  await group({ kills: 0, limit: 100_000 * MEGABYTE });
});

/** What the kernel says of a control group of version 2. */
async function group({ kills, limit, used = 0 }: { kills: number; limit: number; used?: number }): Promise<void> {
  await writeFile(join(cgroups, 'memory.events'), `low 0\noom 0\noom_kill ${kills}\n`);
  await writeFile(join(cgroups, 'memory.max'), `${limit}\n`);
  await writeFile(join(cgroups, 'memory.current'), `${used}\n`);
  await writeFile(join(cgroups, 'memory.stat'), 'anon 0\nfile 0\n');
}

const embed: JobSpec = { kind: 'embed', model: '/model', images: [], output: '/out' };

function run(script: Action[], { job = embed, planned }: { job?: JobSpec; planned?: number } = {}) {
  const command = typescriptTrainer(fileURLToPath(new URL('./scripted-trainer.ts', import.meta.url)));
  command.environment = { TRAINER_SCRIPT: JSON.stringify(script) };
  const plannedMemory = async () => planned;
  return runTrainer({ job, directory, command, stallTimeoutSeconds: 60, cgroups, plannedMemory });
}

const failureOf = (promise: Promise<unknown>): Promise<TrainerError> =>
  promise.then(
    () => expect.unreachable('it should fail'),
    (error) => error,
  );

/** As the kernel does it: the process is gone, and its group has one more of them. */
const killed = (): Action[] => [
  { write: join(cgroups, 'memory.events'), text: 'low 0\noom 1\noom_kill 1\n' },
  { die: 'SIGKILL' },
  { hang: true },
];

test('a kill that the group counts is for lack of memory, and is said with what was held, free and planned', async () => {
  await group({ kills: 0, limit: 16_000 * MEGABYTE, used: 15_000 * MEGABYTE });
  const error = await failureOf(run(killed(), { planned: 13.75e9 }));
  expect(error).toMatchObject({ kind: 'memory', retryable: true });
  expect(error.message).toMatch(
    /^the trainer was killed for lack of memory: it held \d\.\d GB, 1\.0 GB were free when it started, its plan is 13\.8 GB$/,
  );
});

test('so is a kill that nobody counts, of a trainer that held nearly all that was free', async () => {
  await group({ kills: 0, limit: 300 * MEGABYTE });
  const file = join(directory, 'pid');
  const running = failureOf(run([{ hold: 290 * MEGABYTE }, { writePid: file }, { hang: true }]));
  await killOnceHeld(file);
  const error = await running;
  expect(error).toMatchObject({ kind: 'memory', retryable: true });
  expect(error.message).toContain('0.3 GB were free when it started');
});

test('any other kill is a crash', async () => {
  await group({ kills: 3, limit: 100_000 * MEGABYTE });
  const file = join(directory, 'pid');
  const running = failureOf(run([{ hold: 290 * MEGABYTE }, { writePid: file }, { hang: true }]));
  await killOnceHeld(file);
  expect(await running).toMatchObject({ kind: 'crashed', retryable: true });
});

test('a launcher whose child was killed says so by its code, as shells do', async () => {
  const [count] = killed() as [Action];
  expect(await failureOf(run([count, { exit: 137 }]))).toMatchObject({ kind: 'memory', retryable: true });
  await group({ kills: 0, limit: 100_000 * MEGABYTE });
  expect(await failureOf(run([count, { exit: 1 }]))).toMatchObject({ kind: 'crashed' });
});

async function killOnceHeld(pidFile: string): Promise<void> {
  for (;;) {
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'));
    if (pid > 0) {
      // What a process holds is looked at twice a second.
      await sleep(2500);
      process.kill(pid, 'SIGKILL');
      return;
    }
    await sleep(20);
  }
}

describe('a job that is killed for lack of memory', () => {
  const finetune = { kind: 'finetune', batchSize: 4, microBatchSize: 4 } as FinetuneJob;
  const attempt = async (job: JobSpec) => {
    const sizes: number[] = [];
    const error = await failureOf(
      retryWithSmallerBatch(directory, job, (tried) => {
        if (tried.kind === 'finetune') sizes.push(tried.microBatchSize);
        return group({ kills: 0, limit: 100_000 * MEGABYTE }).then(() => run(killed()));
      }),
    );
    return { error, sizes };
  };

  test('is tried with less first, and with one sample no more than twice', async () => {
    const first = await attempt(finetune);
    expect(first).toMatchObject({ sizes: [4, 2, 1], error: { kind: 'memory', retryable: true } });
    const second = await attempt(finetune);
    expect(second).toMatchObject({ sizes: [1], error: { kind: 'memory', retryable: false } });
    expect(second.error.message).toMatch(/killed for lack of memory.*one sample at a time.*a machine with more memory/);
  });

  test('that has nothing to be made smaller is tried twice', async () => {
    expect((await attempt(embed)).error).toMatchObject({ kind: 'memory', retryable: true });
    const { error } = await attempt(embed);
    expect(error).toMatchObject({ kind: 'memory', retryable: false });
    expect(error.message).toContain('a machine with more memory, or end what else takes it');
  });

  test('is no longer counted once an attempt has succeeded', async () => {
    await attempt(embed);
    await retryWithSmallerBatch(directory, embed, async () => undefined);
    expect((await attempt(embed)).error).toMatchObject({ retryable: true });
  });
});

test('the plan of a finetune is that of its longest sample; others have none', async () => {
  const model = join(directory, 'model');
  await writeTinyModel(model);
  const job: FinetuneJob = {
    kind: 'finetune',
    model,
    samples: '/samples',
    order: '/order',
    output: '/out',
    lora: { rank: 2, alpha: 4, dropout: 0, targetModules: ['q_proj'] },
    weightDecay: 0,
    learningRate: { initial: 0, peak: 1e-3, final: 0, warmupSteps: 0 },
    steps: 1,
    batchSize: 4,
    microBatchSize: 4,
    activationCheckpointing: false,
    computeDtype: 'float32',
    weightDtype: 'float32',
    maximumTokens: 160,
    checkpointEverySteps: 1,
    seed: 1,
  };
  const whole = (await plannedMemory(job)) as number;
  expect(whole).toBeGreaterThan(0);
  expect(await plannedMemory({ ...job, microBatchSize: 1 })).toBeLessThan(whole);
  expect(await plannedMemory(embed)).toBeUndefined();
});
