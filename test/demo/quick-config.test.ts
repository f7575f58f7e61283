/** The quick demo is the demo from its round 0 on: the same data, model and settings, and the adapter that round 0 ends with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectFile } from '../../src/core/files.ts';
import { hashFile } from '../../src/core/hash.ts';
import { checkGivenAdapter } from '../../src/round/finetune/given-adapter.ts';

const [demo, quick] = await Promise.all(
  ['configs/demo.yaml', 'configs/demo-quick.yaml'].map((file) => loadConfig(file)),
);

test('it differs from the demo in its length alone, and in where round 0 is from', () => {
  const { rounds, finetune, temporal, ...others } = quick ?? expect.fail();
  const { round0Adapter, stepsPerEpoch, ...settings } = finetune;
  expect([rounds, round0Adapter, stepsPerEpoch]).toEqual([1, projectFile('data/demo-round-0'), 520]);
  expect({ ...demo, ...others, finetune: { ...demo?.finetune, ...settings } }).toEqual(demo);
  expect(temporal.taskQueues).toEqual(demo?.temporal.taskQueues);
});

test('its adapter is the one whose hash the page has, and rounds can start from it', async () => {
  const folder = quick?.finetune.round0Adapter ?? '';
  const hash = await hashFile(join(folder, 'adapter_model.safetensors'));
  const page = await readFile('docs/demo.md', 'utf8');
  expect(page).toContain(`SHA-256 \`${hash.slice(0, 8)}…\``);
  await expect(checkGivenAdapter(folder, quick ?? expect.fail())).resolves.toBeUndefined();
  const { base_model_name_or_path } = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
  expect(base_model_name_or_path).toBe('./data/stage1');
});

test('the page’s gains are means of what it lists', async () => {
  const page = await readFile('docs/demo.md', 'utf8');
  const row = (name: string) =>
    (new RegExp(`^\\| ${name} \\| (.+) \\|$`, 'm').exec(page)?.[1] ?? '')
      .split(' | ')
      .map((cell) => Number(cell.replaceAll('*', '')));
  const [before, after, gains] = [row('round 0'), row('round 1'), row('gain')].map((cells) => cells.slice(0, 5));
  expect(gains).toHaveLength(5);
  expect(Math.min(...(gains ?? []))).toBeGreaterThan(0);
  for (const [index, gain] of (gains ?? []).entries())
    expect(gain).toBeCloseTo((after?.[index] ?? 0) - (before?.[index] ?? 0), 0);
  expect(row('gain').at(-1)).toBeCloseTo((gains ?? []).reduce((sum, gain) => sum + gain) / 5, 1);
});
