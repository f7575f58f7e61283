import path from 'node:path';
import { expect, test } from 'vitest';
import { readAdapter } from '../../../../src/model/files/adapter.ts';
import { readStartAdapter } from '../../../../src/trainer/jobs/finetune/adapter-files.ts';

const folder = path.join(import.meta.dirname, '../../../fixtures/parity/start-adapter-scaling');
const lora = { rank: 3, alpha: 5, dropout: 0, targetModules: ['q_proj'] };

test.each([
  ['rslora', 'use_rslora', /rank 3 and scales its update by 2\.88.*finetune\.lora says rank 3 and 1\.66/],
  ['alpha_pattern', 'alpha_pattern', /layers\.0\.self_attn\.q_proj rank 3 and scales its update by 16\.66/],
])(
  'parity/start-adapter-scaling: %s is refused by name, as what is trained would scale otherwise',
  async (name, field, problem) => {
    const directory = path.join(folder, name);
    const { tensors } = await readAdapter(directory);
    const shapes = new Map(
      [...tensors].flatMap(([module, { A, B }]): [string, number[]][] => [
        [`${module}.lora_A`, A.shape],
        [`${module}.lora_B`, B.shape],
      ]),
    );
    await expect(readStartAdapter(directory, lora, shapes)).rejects.toMatchObject({
      name: 'InputError',
      field,
      problem: expect.stringMatching(problem),
    });
  },
);
