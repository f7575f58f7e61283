/** The step `merge` with the real trainer, ended while it compares the merged model with base and adapter. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { merge } from '../../../src/round/merge/merge.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

let folder: string;
let context: StepContext;
const merged = (name: string) => join(context.run.root, 'round-0/merged', name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interrupted-merge-'));
  await writeTinyModel(join(folder, 'base'));
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    model: { path: join(folder, 'base') },
    merge: { dtype: 'bfloat16' },
  }));
  const { trainer: _, ...real } = await tinyContext(file);
  context = real;
  await finetune(context);
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('what was written stays, and is only compared by the next attempt', async () => {
  const dying = typescriptTrainer(fileURLToPath(new URL('./merge-then-die.ts', import.meta.url)));
  await expect(merge({ ...context, trainer: dying })).rejects.toMatchObject({ name: 'TrainerError', retryable: true });
  const written = await stat(merged('model.partial/model.safetensors'));

  const { parity } = await merge(context);
  expect(parity).toBeGreaterThan(0);
  const now = await stat(merged('model.safetensors'));
  expect([now.ino, now.mtimeMs]).toEqual([written.ino, written.mtimeMs]);
  expect((await readdir(merged('.'))).filter((name) => /partial|tmp/.test(name))).toEqual([]);
});

test('the config chooses the type, which is one of the inputs of the step', async () => {
  const dtype = async () => JSON.parse(await readFile(merged('config.json'), 'utf8')).torch_dtype;
  expect(await dtype()).toBe('bfloat16');
  expect(await merge(context)).toMatchObject({ reused: true });
  const config = { ...context.config, merge: { dtype: 'base' as const } };
  expect(await merge({ ...context, config })).toMatchObject({ reused: false });
  expect(await dtype()).toBe('float32');
});
