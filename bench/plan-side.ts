/**
 * One measurement of `bench/plan.ts`, in a process of its own. Argument: the variant as JSON. Prints one JSON line.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { familyOf } from '../src/model/families/index.ts';
import { blip2ConfigSchema } from '../src/model/families/minigpt4/config.ts';
import { readModelDirectory, writeModelDirectory } from '../src/model/files/model-directory.ts';
import { Program } from '../src/model/ops/program.ts';
import { nativeBinding } from '../src/model/ops/tensorflow.ts';
import { sizeOf } from '../src/model/ops/value.ts';
import { collate } from '../src/trainer/jobs/batch.ts';
import { type FinetuneProgramSettings, finetuneProgram } from '../src/trainer/jobs/finetune/finetune-program.ts';
import { planMemory } from '../src/trainer/jobs/finetune/memory-plan.ts';
import { frozenWeights, loadWeights } from '../src/trainer/jobs/frozen-weights.ts';

interface Variant {
  measure: 'load' | 'step';
  hidden: number;
  layers: number;
  shape: { batch: number; tokens: number; targets: number };
  settings: Omit<FinetuneProgramSettings, 'weightDecay' | 'seed'>;
}

const { measure, hidden, layers, shape, settings } = JSON.parse(process.argv[2] as string) as Variant;
const lora = { rank: 8, alpha: 16, dropout: 0.05, targetModules: ['q_proj', 'k_proj'] };
const config = blip2ConfigSchema.parse({
  model_type: 'blip-2',
  num_query_tokens: 8,
  vision_config: {
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    image_size: 32,
    patch_size: 8,
  },
  qformer_config: {
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    encoder_hidden_size: 32,
  },
  text_config: {
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: Math.round(hidden * 2.6875),
    num_hidden_layers: layers,
    num_attention_heads: hidden / 64,
    vocab_size: 4000,
  },
});

/** In bytes; Linux only. */
function status(key: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}
const forgetPeak = () => writeFileSync('/proc/self/clear_refs', '5');
const collect = () => (globalThis as { gc?: () => void }).gc?.();

const folder = await mkdtemp(path.join(tmpdir(), 'bench-memory-'));
try {
  await writeModelDirectory(folder, {
    config,
    tensors: [...familyOf(config).expectedTensors()].map(([name, shape]) => ({
      name,
      shape: [...shape],
      data: () => new Float32Array(sizeOf(shape)).fill(name.includes('norm') ? 1 : 1e-3),
    })),
  });
  const model = await readModelDirectory(folder);
  nativeBinding();
  collect();
  process.stdout.write(`${JSON.stringify(measure === 'load' ? await measureLoad() : await measureStep())}\n`);
  await model.close();

  /** The peak while weights stream in, over what they take in the end. */
  async function measureLoad() {
    const program = new Program();
    const weights = frozenWeights(program, model, { weightDtype: settings.weightDtype, use: 'forward' });
    const names = model.names().filter((name) => name.startsWith('language_model.'));
    program.define('nothing', {}, (ops) => {
      for (const name of names) weights(name);
      return { one: ops.scalar(1) };
    });
    program.load();
    collect();
    const before = status('VmRSS');
    forgetPeak();
    await loadWeights(program, model);
    const peak = status('VmHWM') - before;
    const bytes = [...program.variableBytes().values()].reduce((sum, size) => sum + size, 0);
    const largest = Math.max(...names.map((name) => sizeOf(familyOf(config).expectedTensors().get(name) ?? []) * 4));
    return { weights: bytes, largestTensor: largest, peak, overWeights: peak - bytes };
  }

  /** What a step holds at once beside weights and optimizer, measured and planned. */
  async function measureStep() {
    const all = { ...settings, weightDecay: 0, seed: 1 };
    const plan = planMemory(config, lora, shape, all);
    const before = status('VmRSS');
    const program = await finetuneProgram(model, lora, [shape], all);
    collect();
    const held = status('VmRSS') - before;
    const sequences = Array.from({ length: shape.batch }, (_, row) => ({
      tokenIds: Array.from({ length: shape.tokens }, (_, place) => (row * 31 + place * 7) % 4000),
      imageStart: 1,
      answerStart: shape.tokens - shape.targets,
    }));
    const batch = collate(sequences, shape, config.num_query_tokens);
    const images = new Float32Array(shape.batch * config.num_query_tokens * hidden);
    const train = (step: number) => {
      if ((settings.parts ?? 1) === 1) program.step({ shape, batch, images, step, learningRate: 1e-4 });
      else program.accumulate({ shape, batch, images, step, part: 0 });
    };
    // The first step also prepares the graph.
    train(0);
    const activations: number[] = [];
    for (let step = 1; step <= 3; step++) {
      const resting = status('VmRSS');
      forgetPeak();
      train(step);
      activations.push(status('VmHWM') - resting);
    }
    activations.sort((a, b) => a - b);
    const measured = { held, activations: activations[1] as number };
    const planned = { held: plan.weights + plan.adapters + plan.optimizer, activations: plan.activations };
    return { measured, planned, ratio: planned.activations / measured.activations };
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
