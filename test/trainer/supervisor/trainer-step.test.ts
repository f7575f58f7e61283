import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { writeJson } from '../../../src/core/write-file.ts';
import { llavaPromptForm } from '../../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { type JobSpec, jobSpecSchema } from '../../../src/trainer/protocol.ts';
import { withFamily } from '../../../src/trainer/supervisor/trainer-step.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixture = (name: string) => path.join(import.meta.dirname, '../../fixtures', name);
const jobFor = (model: string): JobSpec => ({
  kind: 'evaluate',
  model,
  questions: '/questions.jsonl',
  batchSize: 1,
  output: '/losses.jsonl',
});

test('a job has the prompt form and the image tokens of a built-in family', async () => {
  const miniGpt4 = await withFamily(jobFor(fixture('tiny-blip2')));
  expect(miniGpt4.family?.promptForm).toEqual(miniGpt4PromptForm);
  const { num_query_tokens } = JSON.parse(await readFile(path.join(miniGpt4.model, 'config.json'), 'utf8'));
  expect(miniGpt4.family?.imageTokens).toBe(num_query_tokens);
  expect((await withFamily(jobFor(fixture('tiny-llava')))).family?.promptForm).toEqual(llavaPromptForm);
  // In the job file, too, which trainers in other languages read.
  expect(jobSpecSchema.parse(JSON.parse(JSON.stringify(miniGpt4)))).toEqual(miniGpt4);
});

test('a model with a chat template of its own, and one of no known kind, have no family', async () => {
  const model = await temporaryFolder();
  await writeJson(path.join(model, 'config.json'), { model_type: 'blip-2', text_config: { model_type: 'opt' } });
  expect(await withFamily(jobFor(model))).toEqual(jobFor(model));
  expect(await withFamily(jobFor('/nowhere'))).toEqual(jobFor('/nowhere'));
});

test('the trainer on PyTorch has no words of a family: they come with the job', async () => {
  const folder = path.join(import.meta.dirname, '../../../src/trainer/torch');
  const programs = (await readdir(folder)).filter((name) => name.endsWith('.py'));
  for (const name of programs) {
    const text = await readFile(path.join(folder, name), 'utf8');
    for (const { imageMark, turn } of [miniGpt4PromptForm, llavaPromptForm]) {
      expect(text, name).not.toContain(imageMark);
      expect(text, name).not.toContain(turn.split('{question}')[1]?.trim());
    }
  }
});
