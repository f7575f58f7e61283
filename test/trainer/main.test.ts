/** The trainer process itself, spoken to over its protocol. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAdapter } from '../../src/model/files/adapter.ts';
import { type JobSpec, parseTrainerLine, type TrainerMessage } from '../../src/trainer/protocol.ts';
import { runTrainer } from '../../src/trainer/supervisor/run-trainer.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { lossesIn, maximumDifference, tinyFinetune } from '../helpers/jobs.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { makeTinyTraining, type TinyMixture, writeTinyMixture } from '../helpers/tiny-model.ts';

const STEPS = 20;
/** So many that no test can be too late to interrupt it. */
const ENDLESS = 100_000;
let folder: string;
let model: string;
let mixture: TinyMixture;

beforeAll(async () => {
  ({ folder, model, mixture } = await makeTinyTraining(ENDLESS));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface RunningTrainer {
  child: ChildProcessByStdio<Writable, Readable, Readable>;
  messages: TrainerMessage[];
  /** Lines on standard output that are no messages. */
  log: string[];
  /** What it wrote to standard error. */
  errors: string[];
  /** Resolves with the first message that the test waits for. */
  message(wanted: (message: TrainerMessage) => boolean): Promise<TrainerMessage>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

async function startTrainer(job: unknown): Promise<RunningTrainer> {
  const file = path.join(await temporaryFolder(), 'job.json');
  await writeFile(file, JSON.stringify(job));
  const { program, arguments: before } = typescriptTrainer();
  const child = spawn(program, [...before, file], { stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const messages: TrainerMessage[] = [];
  const log: string[] = [];
  const waiting = new Set<() => void>();
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const message = parseTrainerLine(line);
    if (message) messages.push(message);
    else log.push(line);
    for (const look of waiting) look();
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(([[code, signal]]) => ({ code, signal }));
  const message = (wanted: (message: TrainerMessage) => boolean) =>
    new Promise<TrainerMessage>((resolve, reject) => {
      const look = () => {
        const found = messages.find(wanted);
        if (found) resolve(found);
      };
      waiting.add(look);
      look();
      ended.then(() => reject(new Error(`the trainer ended: ${JSON.stringify(messages.at(-1))}`)));
    });
  return { child, messages, log, errors, message, ended };
}

const hasStepped = (step: number) => (message: TrainerMessage) =>
  message.type === 'progress' && message.phase === undefined && message.step >= step;
const finetuneJob = (output: string, changes = {}) => tinyFinetune(model, mixture, output, changes);

test('reports its start, its progress, each checkpoint and its outcome; then exits by itself', async () => {
  const output = await temporaryFolder();
  const trainer = await startTrainer(finetuneJob(output));
  expect(await trainer.ended).toEqual({ code: 0, signal: null });
  const { messages } = trainer;
  expect(messages[0]).toMatchObject({ type: 'started' });
  expect(messages).toContainEqual({ type: 'progress', phase: 'images', step: 6, steps: 6 });
  expect(messages).toContainEqual({
    type: 'checkpoint',
    step: 6,
    uri: path.join(output, 'checkpoints', 'step-00000006.safetensors'),
  });
  const last = messages.findLast(({ type }) => type === 'progress');
  expect(last).toMatchObject({
    step: STEPS,
    steps: STEPS,
    loss: expect.any(Number),
    learningRate: expect.any(Number),
    etaSeconds: 0,
  });
  expect(messages.at(-1)).toMatchObject({ type: 'done', metrics: { steps: STEPS, loss: expect.any(Number) } });
  for (const file of (messages.at(-1) as { outputs: string[] }).outputs) await access(path.join(output, file));
});

test('killed with SIGKILL in the middle, a new one resumes at the checkpoint and ends as if uninterrupted', async () => {
  const [undisturbed, killed] = [await temporaryFolder(), await temporaryFolder()];
  // Enough steps after the first checkpoint that the kill comes before the end.
  const changes = { steps: 120, checkpointEverySteps: 10 };
  await (await startTrainer(finetuneJob(undisturbed, changes))).ended;
  const victim = await startTrainer(finetuneJob(killed, changes));
  await victim.message(({ type }) => type === 'checkpoint');
  victim.child.kill('SIGKILL');
  expect((await victim.ended).signal).toBe('SIGKILL');
  await expect(readAdapter(killed)).rejects.toThrow();

  const { metrics } = await runTrainer({
    job: finetuneJob(killed, changes),
    directory: killed,
    stallTimeoutSeconds: 300,
  });
  expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(10);
  const [wanted, found] = [await lossesIn(undisturbed), await lossesIn(killed)];
  expect(found).toHaveLength(changes.steps);
  expect(maximumDifference(found, wanted)).toBeLessThan(1e-5);
  const [before, after] = [await readAdapter(undisturbed), await readAdapter(killed)];
  for (const [module, { A, B }] of before.tensors) {
    expect(maximumDifference(after.tensors.get(module)?.A.data as Float32Array, A.data), module).toBeLessThan(1e-6);
    expect(maximumDifference(after.tensors.get(module)?.B.data as Float32Array, B.data), module).toBeLessThan(1e-6);
  }
});

test('SIGTERM has it write a checkpoint to resume from, and end', async () => {
  const output = await temporaryFolder();
  const trainer = await startTrainer(finetuneJob(output, { steps: ENDLESS / 2, checkpointEverySteps: ENDLESS }));
  await trainer.message(hasStepped(3));
  trainer.child.kill('SIGTERM');
  expect((await trainer.ended).code).toBe(1);
  const checkpoint = trainer.messages.find(({ type }) => type === 'checkpoint') as { step: number; uri: string };
  await access(checkpoint.uri);
  expect(await lossesIn(output)).toHaveLength(checkpoint.step);
  expect(trainer.messages.at(-1)).toMatchObject({ type: 'failed', kind: 'internal', retryable: true });
});

test('ends when its standard input closes: its parent is gone', async () => {
  const output = await temporaryFolder();
  const trainer = await startTrainer(finetuneJob(output, { steps: ENDLESS / 2 }));
  await trainer.message(hasStepped(1));
  trainer.child.stdin.end();
  expect((await trainer.ended).code).toBe(1);
  expect(trainer.messages.some(({ type }) => type === 'done')).toBe(false);
});

test('invalid input is reported by file, as not retryable', async () => {
  const own = await writeTinyMixture(await temporaryFolder(), 4);
  const image = path.join(own.images, '000000000001.jpg');
  await truncate(image, 300);
  const questions = { questions: own.asked, batchSize: 2 };
  const output = path.join(own.images, '..', 'losses.jsonl');
  const trainer = await startTrainer({ kind: 'evaluate', model, ...questions, output });
  expect((await trainer.ended).code).toBe(1);
  expect(trainer.messages.at(-1)).toMatchObject({
    type: 'failed',
    kind: 'input',
    retryable: false,
    message: expect.stringContaining(image),
  });
  expect(trainer.errors.join('')).not.toMatch(/^\s+at /m);
  expect(trainer.errors.join('')).toContain(image);
});

test('an invalid job fails without a retry, naming the field', async () => {
  const trainer = await startTrainer({ kind: 'embed', model, images: [] });
  expect((await trainer.ended).code).toBe(1);
  expect(trainer.messages).toEqual([
    { type: 'failed', kind: 'input', retryable: false, message: expect.stringContaining('output') },
  ]);
});

test('a whole round of jobs, one after the other, through runTrainer', async () => {
  const directory = await temporaryFolder();
  const at = (name: string) => path.join(directory, name);
  const questions = { questions: mixture.asked, batchSize: 4 };
  const jobs: JobSpec[] = [
    {
      kind: 'embed',
      model,
      images: mixture.samples.map(({ image }) => image),
      output: at('embeddings.safetensors'),
    },
    finetuneJob(at('adapter'), { steps: 4 }),
    {
      kind: 'merge',
      model,
      adapter: at('adapter'),
      output: at('merged'),
      parity: { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 },
    },
    { kind: 'evaluate', model: at('merged'), ...questions, output: at('losses.jsonl') },
  ];
  const metrics: Record<string, number> = {};
  for (const job of jobs)
    Object.assign(metrics, (await runTrainer({ job, directory, stallTimeoutSeconds: 300 })).metrics);
  expect(metrics).toMatchObject({ images: 12, steps: 4, adaptedLayers: 6, questions: 12 });
  expect((await readFile(at('losses.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(12);
});
