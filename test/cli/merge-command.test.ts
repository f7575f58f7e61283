import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { readAdapter } from '../../src/model/files/adapter.ts';
import { readModelDirectory } from '../../src/model/files/model-directory.ts';
import { writeSafetensors } from '../../src/model/files/safetensors.ts';
import { mergedWeight } from '../../src/trainer/jobs/merge/merged-tensors.ts';
import { maximumDifference } from '../helpers/jobs.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel, writeTinyQuestions } from '../helpers/tiny-model.ts';
import { torchIsSetUp } from '../trainer/torch/torch-jobs.ts';
import { printedBy } from './in-this-process.ts';

describe('a published LoRA checkpoint, without a run', { timeout: 240_000 }, () => {
  let folder: string;
  let base: string;
  let adapter: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'merge-command-'));
    base = join(folder, 'model');
    await writeTinyModel(base);
    const values = (length: number) => Float32Array.from({ length }, (_, index) => Math.sin(index) / 4);
    const checkpoint = join(folder, 'checkpoint_9.safetensors');
    const tensors = [0, 1].flatMap((layer) => {
      const module = `llama_model.model.layers.${layer}.self_attn.q_proj`;
      return [
        { name: `${module}.lora_A.weight`, shape: [2, 32], data: values(64) },
        { name: `${module}.lora_B.weight`, shape: [32, 2], data: values(64) },
      ];
    });
    await writeSafetensors(checkpoint, tensors);
    adapter = join(folder, 'adapter');
    const printed = await printedBy('model', 'import-lora', '--ckpt', checkpoint, '--output', adapter);
    expect(printed).toBe(`${adapter}: 2 layers, rank 2, alpha 4\n`);
    return () => rm(folder, { recursive: true, force: true });
  });

  const trainers = ['tensorflow', ...(torchIsSetUp ? ['torchrun'] : [])];
  test.each(trainers)('is imported, merged and evaluated: %s', async (trainer) => {
    const output = join(await temporaryFolder(), 'merged');
    const options = ['--base', base, '--adapter', adapter, '--output', output, '--trainer', trainer];
    expect(await printedBy('merge', ...options)).toMatch(/merged: logits within \d\.\de-\d+ of base \+ adapter\n$/);
    const [before, after] = [await readModelDirectory(base), await readModelDirectory(output)];
    const { tensors } = await readAdapter(adapter);
    for (const name of before.names()) {
      const weight = await before.read(name);
      const pair = tensors.get(name.replace(/\.weight$/, ''));
      const wanted = pair ? mergedWeight(weight, pair) : weight.data;
      expect(maximumDifference((await after.read(name)).data, wanted), name).toBeLessThan(1e-6);
    }
    await Promise.all([before.close(), after.close()]);
    const files = await readdir(output);
    expect(files).toContain('tokenizer.json');
    expect(files.filter((name) => /job|log|manifest|noise|samples/.test(name))).toEqual([]);

    const { file, images } = await writeTinyQuestions(join(await temporaryFolder(), 'data'), 4);
    const scores = join(await temporaryFolder(), 'scores');
    const set = ['--benchmark', 'aokvqa', '--file', file, '--images', images, '--answers', 'ranked'];
    await printedBy('evaluate', ...set, '--model', output, '--output', scores);
    expect((await readScores(scores)).questions).toBe(4);
  });

  test('an output that holds something is left alone, and what is missing is named', async () => {
    const merge = (...options: string[]) => printedBy('merge', ...options);
    const pair = ['--base', base, '--adapter', adapter];
    await expect(merge(...pair, '--output', base)).rejects.toThrow(/is not empty/);
    await expect(merge(...pair)).rejects.toThrow(/command line: --output: is missing/);
    await expect(merge('--adapter', adapter, '--output', 'x')).rejects.toThrow(/--base: is missing/);
    await expect(merge()).rejects.toThrow(/--config: is missing\. Give it, or --base, --adapter and --output/);
  });

  test('has the type that is asked for', async () => {
    const output = join(await temporaryFolder(), 'merged');
    const options = ['--base', base, '--adapter', adapter, '--output', output, '--dtype', 'bfloat16'];
    await printedBy('merge', ...options);
    expect(JSON.parse(await readFile(join(output, 'config.json'), 'utf8')).dtype).toBe('bfloat16');
  });

  test('an adapter that does not fit leaves nothing', async () => {
    const wider = join(folder, 'wider');
    await writeTinyModel(wider, { hidden: 64 });
    const output = join(folder, 'never');
    const merging = printedBy('merge', '--base', wider, '--adapter', adapter, '--output', output);
    await expect(merging).rejects.toThrow(/adapts a weight of \[32, 32\], the model's is \[64, 64\]/);
    await expect(access(output)).rejects.toThrow();
  });
});
