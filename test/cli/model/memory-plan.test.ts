import { describe, expect, test } from 'vitest';
import { formatPlan, planFinetune } from '../../../cli/model/memory-plan.ts';
import { loadConfig } from '../../../src/config/load-config.ts';

const config = await loadConfig('configs/demo.yaml');

/** The size in a line of the plan, in bytes. */
function sizeIn(plan: string, name: string): number {
  const [, value, unit] = new RegExp(`^  ${name} +([0-9.]+) (MB|GB)`, 'm').exec(plan) ?? [];
  return Number(value) * (unit === 'GB' ? 1e9 : 1e6);
}

describe('what `model plan` prints', async () => {
  const planned = await planFinetune(config);
  const lines = formatPlan(planned, config.finetune);

  test('names every part of the training, and their sum', () => {
    const parts = ['weights', 'adapters', 'optimizer', 'activations', 'projection'].map((name) => sizeIn(lines, name));
    for (const part of parts) expect(part).toBeGreaterThan(0);
    const sum = parts.reduce((total, part) => total + part, 0);
    // Both are rounded to hundredths of a gigabyte.
    expect(Math.abs(sizeIn(lines, 'in all') - sum)).toBeLessThanOrEqual(0.01e9);
  });

  test('shows the weights during evaluation and the check of a merge', async () => {
    const narrow = { ...config, finetune: { ...config.finetune, weightDtype: 'bfloat16' as const } };
    const narrowLines = formatPlan(await planFinetune(narrow), narrow.finetune);
    // Every matrix but the embedding is adapted, and in float32 while a merge is checked.
    expect(sizeIn(narrowLines, 'evaluation')).toBeLessThan(0.51 * sizeIn(lines, 'evaluation'));
    expect(sizeIn(narrowLines, 'merge check')).toBeLessThan(sizeIn(lines, 'merge check'));
    expect(sizeIn(narrowLines, 'merge check')).toBeGreaterThan(0.95 * sizeIn(lines, 'merge check'));
  });

  test('shows whether it fits a device, and how to reduce memory if not', () => {
    expect(formatPlan(planned, config.finetune, 24e9)).toMatch(/^It fits 24\.00 GB: .* to spare\.$/m);
    const tight = formatPlan(planned, config.finetune, 1.5e9);
    expect(tight).toMatch(/^It does not fit 1\.50 GB: .* too much\.$/m);
    expect(tight).toContain('less memory: finetune.activationCheckpointing: true');
    expect(tight).toContain('less memory: finetune.microBatchSize: 8, or less');
  });
});

test('the length of the longest sample replaces the maximum', async () => {
  const [most, shorter] = await Promise.all([planFinetune(config), planFinetune(config, 48)]);
  expect(shorter.shape.tokens).toBeLessThan(most.shape.tokens);
  expect(shorter.activations).toBeLessThan(most.activations);
});
