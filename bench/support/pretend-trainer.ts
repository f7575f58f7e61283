/**
 * A trainer that keeps the protocol and writes files of the right shape, in no time and with no TensorFlow.
 * Its losses depend on the seed and the step alone, and it resumes from its checkpoints, as the real one does.
 * DATAENGINE_PRETEND_STEP_MILLISECONDS slows each finetune step down, for tests that interrupt it. DATAENGINE_PRETEND_MERGED is
 * added to a merged model, which otherwise has the bytes of the adapter; with DATAENGINE_PRETEND_MODEL_BYTES it has a second
 * file of zeros of that size.
 */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { writeSafetensors } from '../../src/model/files/safetensors.ts';
import type { EvaluationQuestion } from '../../src/trainer/job-files.ts';
import type { EmbedJob, EvaluateJob, FinetuneJob, JobSpec, MergeJob } from '../../src/trainer/protocol.ts';
import { exitWithParent, protocolReporter, readJobSpec, sendMessage } from '../../src/trainer/trainer-side.ts';

const stepMilliseconds = Number(process.env.DATAENGINE_PRETEND_STEP_MILLISECONDS ?? 1);

async function finetune(job: FinetuneJob): Promise<string[]> {
  const samples = readFileSync(job.samples, 'utf8').trim().split('\n');
  const { requireFence } = protocolReporter(new AbortController().signal, job.fence);
  const order = JSON.parse(readFileSync(job.order, 'utf8')) as number[];
  if (order.length < job.steps * job.batchSize) throw new Error('the order is too short');
  const checkpoints = join(job.output, 'checkpoints');
  mkdirSync(checkpoints, { recursive: true });
  const newest = Math.max(0, ...readdirSync(checkpoints).map((name) => Number.parseInt(name, 10)));
  const lossFile = join(job.output, 'loss.jsonl');
  // As those of the real one, checkpoints have the curve so far.
  writeFileSync(lossFile, newest === 0 ? '' : readFileSync(join(checkpoints, `${newest}.json`)));
  process.stdout.write(`starting at step ${newest} with ${samples.length} samples\n`);
  for (let step = newest + 1; step <= job.steps; step += 1) {
    await sleep(stepMilliseconds);
    requireFence();
    const loss = 3 / step + seededRandom(job.seed).fork(step).uniform() / 10;
    appendFileSync(lossFile, `${JSON.stringify({ step, loss, learningRate: job.learningRate.peak })}\n`);
    sendMessage({ type: 'progress', step, steps: job.steps, loss });
    if (step % job.checkpointEverySteps !== 0) continue;
    const uri = join(checkpoints, `${step}.json`);
    copyFileSync(lossFile, uri);
    sendMessage({ type: 'checkpoint', step, uri });
  }
  requireFence();
  writeFileSync(join(job.output, 'adapter_config.json'), JSON.stringify({ r: job.lora.rank }));
  const weights = {
    name: 'weight',
    shape: [1],
    data: Float32Array.of(seededRandom(`${job.seed} ${samples.length}`).uniform()),
  };
  await writeSafetensors(join(job.output, 'adapter_model.safetensors'), [weights]);
  const written = ['adapter_config.json', 'adapter_model.safetensors', 'loss.jsonl'];
  if (!job.validationLoss) return written;
  const { everySteps } = job.validationLoss;
  const steps = Array.from({ length: job.steps }, (_, index) => index + 1).filter((step) => step % everySteps === 0);
  const lines = steps.map((step) => `${JSON.stringify({ step, loss: 3.5 / step })}\n`);
  writeFileSync(join(job.output, 'validation-loss.jsonl'), lines.join(''));
  return [...written, 'validation-loss.jsonl'];
}

function merge(job: MergeJob): string[] {
  mkdirSync(job.output, { recursive: true });
  copyFileSync(join(job.model, 'config.json'), join(job.output, 'config.json'));
  const model = join(job.output, 'model.safetensors');
  copyFileSync(join(job.adapter, 'adapter_model.safetensors'), model);
  if (process.env.DATAENGINE_PRETEND_MERGED !== undefined) appendFileSync(model, process.env.DATAENGINE_PRETEND_MERGED);
  const size = Number(process.env.DATAENGINE_PRETEND_MODEL_BYTES ?? 0);
  if (size === 0) return ['config.json', 'model.safetensors'];
  const zeros = join(job.output, 'zeros.safetensors');
  writeFileSync(zeros, '');
  truncateSync(zeros, size);
  return ['config.json', 'model.safetensors', 'zeros.safetensors'];
}

function evaluate(job: EvaluateJob): string[] {
  const weights = readFileSync(join(job.model, 'model.safetensors')).toString('base64');
  const lines = readFileSync(job.questions, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { question_id, answers, generate } = JSON.parse(line) as EvaluationQuestion;
      const random = seededRandom(`${weights} ${question_id}`);
      return `${JSON.stringify({ question_id, losses: answers.map(() => random.uniform()), ...(generate && { text: random.pick(['red', 'green', 'blue', 'yellow']) }) })}\n`;
    });
  sendMessage({ type: 'progress', step: lines.length, steps: lines.length });
  writeFileSync(job.output, lines.join(''));
  return [job.output];
}

async function embed(job: EmbedJob): Promise<string[]> {
  const images =
    typeof job.images === 'string' ? (JSON.parse(readFileSync(job.images, 'utf8')) as string[]) : job.images;
  const width = 4;
  const data = Float32Array.from(
    images.flatMap((image) => {
      if (!existsSync(image)) throw new Error(`${image} is missing`);
      // Not its folder: the same image on another machine is the same.
      const random = seededRandom(basename(image));
      return Array.from({ length: width }, () => random.uniform() - 0.5);
    }),
  );
  await writeSafetensors(job.output, [{ name: 'embeddings', shape: [images.length, width], data }]);
  return [job.output];
}

async function runJob(job: JobSpec): Promise<string[]> {
  switch (job.kind) {
    case 'finetune':
      return finetune(job);
    case 'merge':
      return merge(job);
    case 'evaluate':
      return evaluate(job);
    case 'embed':
      return embed(job);
    case 'measure':
      throw new Error('samples are not counted here');
  }
}

exitWithParent();
sendMessage({ type: 'started' });
try {
  const outputs = await runJob(readJobSpec(process.argv[2] as string));
  sendMessage({ type: 'done', outputs, metrics: { loss: 0.5 } });
  process.exit(0);
} catch (error) {
  sendMessage({ type: 'failed', kind: 'internal', message: String(error), retryable: false });
  process.exit(1);
}
