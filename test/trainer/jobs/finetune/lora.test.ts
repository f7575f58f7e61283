import path from 'node:path';
import { expect, test } from 'vitest';
import { readModelConfig } from '../../../../src/model/files/model-config.ts';
import { runEagerly } from '../../../../src/model/ops/eager-ops.ts';
import type { Ops } from '../../../../src/model/ops/ops.ts';
import { Program } from '../../../../src/model/ops/program.ts';
import { frozen, Tape } from '../../../../src/model/ops/tape.ts';
import type { Value } from '../../../../src/model/ops/value.ts';
import { adaptedModules, initialLora, loraShapes, traceAdapters } from '../../../../src/trainer/jobs/finetune/lora.ts';
import type { LoraSettings } from '../../../../src/trainer/protocol.ts';

const config = await readModelConfig(path.join(import.meta.dirname, '../../../fixtures/tiny-blip2'));
const layer = (index: number, name: string) => `language_model.model.layers.${index}.${name}`;

test('the reference setting adapts q_proj and k_proj of every layer, sized by their own heads', () => {
  expect(adaptedModules(config, ['q_proj', 'k_proj'])).toEqual([
    { name: layer(0, 'self_attn.q_proj'), inputSize: 32, outputSize: 32 },
    { name: layer(0, 'self_attn.k_proj'), inputSize: 32, outputSize: 16 },
    { name: layer(1, 'self_attn.q_proj'), inputSize: 32, outputSize: 32 },
    { name: layer(1, 'self_attn.k_proj'), inputSize: 32, outputSize: 16 },
  ]);
});

test.each(['query', 'lm_head', 'toString'])(
  "'%s' names no layer that can be adapted, and is an error that lists those",
  (target) => {
    expect(() => adaptedModules(config, ['q_proj', target])).toThrow(
      expect.objectContaining({
        name: 'InputError',
        field: 'finetune.lora.targetModules',
        message: expect.stringMatching(new RegExp(`'${target}'.*down_proj`)),
      }),
    );
  },
);

test('adapters start as the base model: A small and random, B zero', () => {
  const shapes = loraShapes(adaptedModules(config, ['q_proj']), 4);
  const [a, b] = initialLora(shapes, 1) as [Float32Array, Float32Array];
  const bound = 1 / Math.sqrt(32);
  expect(a).toHaveLength(4 * 32);
  expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(bound);
  expect(Math.max(...a)).toBeGreaterThan(0.9 * bound);
  expect([...b]).toEqual(new Array(32 * 4).fill(0));
});

test('the start of a layer depends on the seed and its name, not on which others are adapted', () => {
  const start = (targets: string[], seed: number) => {
    const shapes = loraShapes(adaptedModules(config, targets), 4);
    const values = initialLora(shapes, seed);
    return [...(values[[...shapes.keys()].indexOf(`${layer(1, 'self_attn.v_proj')}.lora_A`)] as Float32Array)];
  };
  expect(start(['v_proj'], 1)).toEqual(start(['q_proj', 'v_proj', 'up_proj'], 1));
  expect(start(['v_proj'], 1)).not.toEqual(start(['v_proj'], 2));
});

const settings: LoraSettings = { rank: 4, alpha: 16, dropout: 0.3, targetModules: ['q_proj', 'v_proj'] };
const SHAPE = [400, 32];

/** The dropout mask of a layer, as it enters the graph. */
function mask(ops: Ops, seed: Value, module: string, changes: Partial<LoraSettings> = {}): Value | undefined {
  const all = { ...settings, ...changes };
  const names = [...loraShapes(adaptedModules(config, all.targetModules), all.rank)];
  const variables = new Map(
    names.map(([name, shape]) => [
      name,
      frozen(ops.constant(new Float32Array((shape[0] as number) * (shape[1] as number)), shape)),
    ]),
  );
  const dropout = traceAdapters(ops, variables, all, seed)(module, SHAPE, new Tape(ops))?.dropout;
  return dropout && ops.scale(ops.cast(dropout.kept, 'float32'), dropout.scaling);
}

function maskValues(seed: [number, number], module = layer(0, 'self_attn.q_proj')): Float32Array {
  const feeds = { seed: { data: Int32Array.from(seed), shape: [2] } };
  const { values } = runEagerly((ops, inputs) => ({ values: mask(ops, inputs.seed as Value, module) as Value }), feeds);
  return values as Float32Array;
}

test('dropout keeps the expectation: what is kept is scaled up by what is dropped', () => {
  const values = maskValues([7, 0]);
  const kept = values.filter((value) => value !== 0);
  expect(kept.length / values.length).toBeCloseTo(0.7, 1);
  expect(Math.max(...kept)).toBeCloseTo(1 / 0.7, 5);
  expect(Math.min(...kept)).toBeCloseTo(1 / 0.7, 5);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean - 1)).toBeLessThan(0.03);
});

test('the same seed and step give the same mask; another seed, step or layer gives another', () => {
  const values = [...maskValues([7, 12])];
  expect([...maskValues([7, 12])]).toEqual(values);
  for (const other of [
    maskValues([8, 12]),
    maskValues([7, 24]),
    maskValues([7, 12], layer(0, 'self_attn.v_proj')),
    maskValues([7, 12], layer(1, 'self_attn.q_proj')),
  ]) {
    const same = values.filter((value, place) => value === other[place]).length / values.length;
    // Two independent masks agree where both keep or both drop.
    expect(same).toBeCloseTo(0.7 * 0.7 + 0.3 * 0.3, 1);
  }
});

test('the traced graph draws the mask that single operations draw', () => {
  const program = new Program();
  try {
    program.define('mask', { seed: { shape: [2], dataType: 'int32' } }, (ops, { seed }) => ({
      values: mask(ops, seed, layer(0, 'self_attn.q_proj')) as Value,
    }));
    program.load();
    expect([...(program.run('mask', { seed: Int32Array.of(7, 12) }).values as Float32Array)]).toEqual([
      ...maskValues([7, 12]),
    ]);
  } finally {
    program.dispose();
  }
});

test('without dropout there is no mask, and layers that are not adapted have no adapter', () => {
  const feeds = { seed: { data: Int32Array.of(1, 1), shape: [2] } };
  runEagerly((ops, inputs) => {
    expect(mask(ops, inputs.seed as Value, layer(0, 'self_attn.q_proj'), { dropout: 0 })).toBeUndefined();
    expect(
      traceAdapters(ops, new Map(), settings, inputs.seed as Value)(layer(0, 'mlp.up_proj'), SHAPE, new Tape(ops)),
    ).toBeUndefined();
    return {};
  }, feeds);
});
