/** What may be trained by which trainer: docs/training.md has the table of the code that refuses the rest. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { trainedWaysTable } from '../../src/config/trained-ways.ts';

const page = await readFile(new URL('../../docs/training.md', import.meta.url), 'utf8');
const table = trainedWaysTable();

test('the table in docs/training.md is that of the code', () => {
  expect(page).toContain(`\n${table.join('\n')}\n`);
});

const asked: Record<string, object> = {
  'lora.targetModules': { lora: { targetModules: ['q_proj'] } },
  'lora.targetModules.vision': { lora: { targetModules: { vision: ['fc1'] } } },
  'lora.targetModules.projector': { lora: { targetModules: { projector: ['linear_1'] } } },
  'lora.rslora': { lora: { rslora: true } },
  'lora.dora': { lora: { dora: true } },
  'trainable: [projection]': { trainable: ['projection'] },
  'trainable: [language]': { trainable: ['language'] },
  'trainable: [vision]': { trainable: ['vision'] },
};
const trainers = [
  { trainer: 'tensorflow' },
  { trainer: 'torchrun' },
  { trainer: 'torchrun', sharding: 'fsdp' },
  { trainer: 'torchrun', sharding: 'deepspeed' },
];

const cells = table.slice(2).flatMap((line) => {
  const [, , key = '', ...answers] = line.split('|').map((cell) => cell.trim().replaceAll('`', ''));
  return trainers.map((trainer, at) => ({ key, ...trainer, answer: answers[at] }));
});

test.each(cells)('$key with $trainer $sharding: $answer', ({ key, answer, ...trainer }) => {
  const data = { root: 'data', train: [{ dataset: 'aokvqa', images: 'images' }] };
  const finetune = asked[key];
  expect(finetune).toBeDefined();
  const { success, error } = configSchema.safeParse({ model: { path: 'a' }, data, finetune, ...trainer });
  expect(success, error?.message).toBe(answer === 'yes');
  const [issue] = error?.issues ?? [];
  if (issue) {
    expect(issue.path[0]).toBe('finetune');
    expect(issue.message).toMatch(/: (no trainer trains that|trained by trainer: .* alone)$/);
  }
});

test('a projection is trained whole or by adapters, not both', () => {
  const data = { root: 'data', train: [{ dataset: 'aokvqa', images: 'images' }] };
  const finetune = { lora: { targetModules: { projector: ['linear_1'] } }, trainable: ['projection'] };
  const { error } = configSchema.safeParse({ model: { path: 'a' }, data, finetune });
  expect(error?.issues).toMatchObject([{ path: ['finetune', 'trainable'] }]);
});
