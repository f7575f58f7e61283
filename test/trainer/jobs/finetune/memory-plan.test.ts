import { describe, expect, test } from 'vitest';
import { gpuBytes, parseBytes } from '../../../../cli/model/gpu-memory.ts';
import { readModelConfig } from '../../../../src/model/files/model-config.ts';
import { planMemory } from '../../../../src/trainer/jobs/finetune/memory-plan.ts';

const config = await readModelConfig('test/fixtures/tiny-blip2');
const lora = { rank: 2, alpha: 4, dropout: 0.1, targetModules: ['q_proj', 'k_proj'] };
const shape = { batch: 8, tokens: 32, targets: 8 };
const plan = (settings: object, batch = shape.batch) =>
  planMemory(config, lora, { ...shape, batch }, { weightDecay: 0, seed: 1, ...settings });

describe('the memory plan', () => {
  const plain = plan({});

  test('counts weights, adapters and optimizer exactly', () => {
    // Two layers of hidden 32, inner 64, 4 heads and 2 key-value heads of 8; 64 words, embedded and untied.
    const matrices = 2 * 64 * 32 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32);
    const norms = 5 * 32;
    expect(plain.parameters.weights).toBe(matrices + norms);
    expect(plain.weights).toBe(4 * (matrices + norms));
    const adapters = 2 * 2 * (32 + 32 + 32 + 16);
    expect(plain.parameters.adapters).toBe(adapters);
    expect([plain.adapters, plain.optimizer]).toEqual([4 * adapters, 8 * adapters]);
    expect(plan({ weightDtype: 'bfloat16' }).weights).toBe(2 * matrices + 4 * norms);
  });

  test('sees what each setting saves, and what it costs', () => {
    const parts = plan({ parts: 4 }, 2);
    expect(parts.activations).toBeLessThan(0.35 * plain.activations);
    expect(parts.optimizer).toBe(1.5 * plain.optimizer);
    expect(plan({ activationCheckpointing: true }).activations).toBeLessThan(plain.activations);
    const pairs = { batchSize: 4, beta: 0.1, labelSmoothing: 0, shapes: [{ ...shape, batch: 16 }] };
    const withPairs = plan({ pairs });
    expect(withPairs.activations).toBeGreaterThan(1.5 * plain.activations);
    expect(withPairs.optimizer).toBe(1.5 * plain.optimizer);
    expect(plain.peak).toBe(
      Math.max(plain.images, plain.weights + plain.adapters + plain.optimizer + plain.activations + plain.projection),
    );
  });
});

describe("a device's memory", () => {
  test('is given by name or as a size', () => {
    expect(gpuBytes('A100-40GB')).toBe(40 * 2 ** 30);
    expect([parseBytes('24GB'), parseBytes('22.5 GiB')]).toEqual([24e9, 22.5 * 2 ** 30]);
  });

  test('must be known', () => {
    expect(() => gpuBytes('a100')).toThrow("--gpu: 'a100' is not known. Use one of t4,");
    expect(() => parseBytes('24')).toThrow("--memory: '24' is not a size. Write it as 24GB");
  });
});
