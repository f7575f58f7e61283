/** Our side of the benchmarks, over the code that trains and evaluates: see `pytorch/side.py` for the requests. */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type ModelDirectory, readModelDirectory } from '../../src/model/files/model-directory.ts';
import type { ProductType } from '../../src/model/ops/ops.ts';
import { Program } from '../../src/model/ops/program.ts';
import { nativeBinding } from '../../src/model/ops/tensorflow.ts';
import { batchShape, collate } from '../../src/trainer/jobs/batch.ts';
import type { PackedQuestion } from '../../src/trainer/jobs/evaluate/packed-choices.ts';
import { type ChoiceScorer, traceScorer } from '../../src/trainer/jobs/evaluate/score-choices.ts';
import { type FinetuneProgram, finetuneProgram } from '../../src/trainer/jobs/finetune/finetune-program.ts';
import { frozenWeights, loadWeights } from '../../src/trainer/jobs/frozen-weights.ts';
import type { Sequence } from '../../src/trainer/jobs/sequence.ts';
import { ADAPTER_SEED, LORA, QUERIES } from './models.ts';

/** Tensors that TensorFlow holds: no garbage collector frees them. */
const heldTensors = () => nativeBinding().getNumOfTensors();

interface TrainRequest {
  tokens: number[][];
  answerStart: number;
  learningRate: number;
}

interface ScoreRequest {
  prompt: number[];
  choices: number[][];
}

// The shape is that of the first request, which is traced then, as a job traces its shapes before the first step.

function trainer(
  model: ModelDirectory,
  computeDtype: ProductType,
): (request: TrainRequest) => Promise<{ loss: number }> {
  let program: FinetuneProgram | undefined;
  let step = 0;
  return async ({ tokens, answerStart, learningRate }) => {
    const sequences: Sequence[] = tokens.map((tokenIds) => ({ tokenIds, imageStart: -1, answerStart }));
    const shape = batchShape(sequences);
    program ??= await finetuneProgram(model, LORA, [shape], {
      weightDecay: 0.05,
      seed: ADAPTER_SEED,
      productType: computeDtype,
      weightDtype: computeDtype,
    });
    const images = new Float32Array(shape.batch * QUERIES * model.config.text_config.hidden_size);
    const batch = collate(sequences, shape, QUERIES);
    return { loss: program.step({ shape, batch, images, step: step++, learningRate }) };
  };
}

function scorer(
  model: ModelDirectory,
  computeDtype: ProductType,
): (request: ScoreRequest) => Promise<{ losses: number[] }> {
  const images = new Float32Array(QUERIES * model.config.text_config.hidden_size);
  let traced: ChoiceScorer | undefined;
  return async ({ prompt, choices }) => {
    const question: PackedQuestion = {
      tokenIds: [...prompt, ...choices.flat()],
      promptLength: prompt.length,
      choiceLengths: choices.map((choice) => choice.length),
      imageStart: -1,
    };
    if (!traced) {
      const program = new Program({ productType: computeDtype });
      traced = traceScorer(
        program,
        frozenWeights(program, model, { weightDtype: computeDtype, use: 'forward' }),
        model.config,
        [[question]],
        1,
      );
      program.load();
      await loadWeights(program, model);
    }
    return { losses: traced.score([question], images)[0] as number[] };
  };
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string', default: '' }, bfloat16: { type: 'boolean', default: false } },
});
const model = await readModelDirectory(flags.model);
const computeDtype = flags.bfloat16 ? 'bfloat16' : 'float32';
const answer = positionals[0] === 'train' ? trainer(model, computeDtype) : scorer(model, computeDtype);
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ ready: `TensorFlow ${nativeBinding().TF_Version}` });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const started = performance.now();
  const cpu = process.cpuUsage();
  const result = await answer(request);
  const { user, system } = process.cpuUsage(cpu);
  say({
    ...result,
    tensors: heldTensors(),
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: (user + system) / 1e6,
  });
}
