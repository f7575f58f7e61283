/** bench/pytorch/gpu.py runs where there is no Node: what it says of the families is written there once more. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { llavaPromptForm } from '../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import type { PromptForm } from '../../src/model/families/prompt-form.ts';

const single = ({ conversation: _, ...form }: PromptForm) => form;

test('the words around a question are those of src/model/families', async () => {
  const folder = path.join(import.meta.dirname, '../../bench/pytorch');
  const script = 'import json, gpu_files; print(json.dumps(gpu_files.FORMS))';
  const env = { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await promisify(execFile)('python3', ['-c', script], { env });
  expect(JSON.parse(stdout)).toEqual({ llava: single(llavaPromptForm), minigpt4: single(miniGpt4PromptForm) });
});
