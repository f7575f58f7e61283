import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { configurationPage, workerSettingsPage } from '../../src/config/describe-schema.ts';
import { type ConfigOverrides, loadConfig } from '../../src/config/load-config.ts';
import { configJsonSchema } from '../../src/config/schema.ts';
import { renamedKeys } from '../../src/config/unknown-keys.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const least = 'model: { path: data/stage1 }\ndata: { root: data }\n';

async function load(text: string, overrides?: ConfigOverrides) {
  const file = join(await temporaryFolder(), 'run.yaml');
  await writeFile(file, text);
  return loadConfig(file, overrides);
}

async function messageOf(text: string) {
  const error = await load(text).catch((failure: unknown) => failure);
  expect(error).toMatchObject({ name: 'InputError' });
  return (error as Error).message.replace(/^.*run\.yaml/, 'run.yaml');
}

/** All keys of a schema, as `renamedKeys` writes them. */
function keyPatterns({ properties = {} }: z.core.JSONSchema.BaseSchema, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([key, child]) => {
    if (typeof child !== 'object') return [];
    const items = child.items as z.core.JSONSchema.BaseSchema | undefined;
    const own = `${prefix}${key}`;
    return [own, ...keyPatterns(child, `${own}.`), ...(items === undefined ? [] : keyPatterns(items, `${own}[].`))];
  });
}

afterEach(() => vi.unstubAllEnvs());

describe('loadConfig', () => {
  it("fills in the reference system's figures", async () => {
    const { finetune, sampling, teacher, data } = await load(least);
    expect(finetune).toMatchObject({
      epochs: 10,
      stepsPerEpoch: 300,
      batchSize: 16,
      maximumTokens: 160,
      weightDecay: 0.05,
      learningRate: { initial: 1e-6, peak: 3e-4, final: 1e-5, warmupSteps: 200 },
      lora: { rank: 8, alpha: 16, dropout: 0.05, targetModules: ['q_proj', 'k_proj'] },
    });
    expect(sampling).toMatchObject({ nearestImages: 1000, maximumBoxes: 10, inContextExamples: 2 });
    expect(teacher).toMatchObject({ model: 'gpt-4', temperature: 0.7, topP: 0.9, maximumTokens: 800 });
    expect(data.train).toEqual([
      { dataset: 'cc_sbu_align', sampleRatio: 60 },
      { dataset: 'aokvqa', sampleRatio: 130 },
    ]);
  });

  it('starts the paths of a list in the folder of their config too', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'run.yaml');
    const questions = '{ metric: judge, judge: { rubric: rubric.md } }';
    const benchmark = `{ benchmark: questions, name: own, file: own.jsonl, questions: ${questions} }`;
    await writeFile(file, `${least}evaluate: { benchmarks: [${benchmark}] }\n`);
    const { evaluate } = await loadConfig(file);
    expect(evaluate.benchmarks).toMatchObject([{ questions: { judge: { rubric: join(folder, 'rubric.md') } } }]);
  });

  it('keeps defaults beside the keys that are given', async () => {
    const { finetune } = await load(`${least}finetune: { lora: { rank: 4 } }\n`);
    expect(finetune.lora).toEqual({ rank: 4, alpha: 16, dropout: 0.05, targetModules: ['q_proj', 'k_proj'] });
  });

  it.each([
    ['finetune:\n  batchsize: 8\n', 'run.yaml:4: finetune.batchsize: no such key. Did you mean finetune.batchSize?'],
    [
      'finetune:\n  lora:\n    rnak: 8\n',
      'run.yaml:5: finetune.lora.rnak: no such key. Did you mean finetune.lora.rank?',
    ],
    ['finetunes: {}\n', 'run.yaml:3: finetunes: no such key. Did you mean finetune?'],
    ['warmup_steps: 5\n', 'run.yaml:3: warmup_steps: no such key. Did you mean finetune.learningRate.warmupSteps?'],
    [
      'verify: { twice: 1 }\n',
      'run.yaml:3: verify.twice: no such key. Known here are blindAnswers, agreement, languageOnlyAnswers, languageOnlyRight, keepNeedsNoImage, temperature, blindPrompt, languageOnlyPrompt, shortBlindPrompt, shortLanguageOnlyPrompt',
    ],
  ])('names the nearest known key for %j', async (addition, message) => {
    expect(await messageOf(least + addition)).toBe(message);
  });

  it('names the nearest known key inside a list', async () => {
    const text = 'model: { path: a }\ndata:\n  root: b\n  train:\n    - dataset: aokvqa\n      sample_ratio: 5\n';
    expect(await messageOf(text)).toBe(
      'run.yaml:6: data.train[0].sample_ratio: no such key. Did you mean data.train[0].sampleRatio?',
    );
  });

  it.each([
    [
      'sampling: { nearestPictures: 5 }\n',
      'run.yaml:3: sampling.nearestPictures: was renamed to sampling.nearestImages.',
    ],
    [
      'evaluate: { mmbenchAnswers: ranked }\n',
      'run.yaml:3: evaluate.mmbenchAnswers: was renamed to evaluate.benchmarks[].answers.',
    ],
    [
      'evaluate:\n  benchmarks:\n    - { benchmark: mmbench, file: a }\n    - { benchmark: seed-bench, file: b, pictures: c }\n',
      'run.yaml:6: evaluate.benchmarks[1].pictures: was renamed to evaluate.benchmarks[1].images.',
    ],
  ])('names the new key for a renamed one: %j', async (addition, message) => {
    expect(await messageOf(least + addition)).toBe(`${message} Use the new name`);
  });

  it('knows each renamed key under one of its two names', () => {
    const known = new Set(keyPatterns(configJsonSchema()));
    const both = Object.entries(renamedKeys).filter(([old, now]) => known.has(old) === known.has(now));
    expect(both).toEqual([]);
  });

  it.each([
    ['seed: -1\n', 'run.yaml:3: seed: must be at least 0'],
    ['run: a b/c\n', 'run.yaml:3: run: use letters, digits, ".", "_" and "-", and start with a letter or a digit'],
    ['seed: one\n', 'run.yaml:3: seed: must be a number, not a text'],
    ['finetune:\n  epochs: 0\n', 'run.yaml:4: finetune.epochs: must be more than 0'],
    [
      'finetune: { stepsPerEpoch: 5, epochs: 2 }\n',
      'run.yaml:3: finetune.learningRate.warmupSteps: more steps than the whole finetune has',
    ],
    [
      'sampling: { strategy: random }\n',
      'run.yaml:3: sampling.strategy: must be adaptive, difficulty-window, expected-gain, high-loss or uniform',
    ],
    [
      'sampling: { difficulty: { from: 0.2 } }\n',
      'run.yaml:3: sampling.difficulty: requires sampling.strategy: difficulty-window',
    ],
    [
      'sampling: { strategy: difficulty-window, difficulty: { from: 0.9 } }\n',
      'run.yaml:3: sampling.difficulty.to: must be more than from',
    ],
    [
      'finetune: { preference: { beta: 0.2 } }\n',
      'run.yaml:3: finetune.preference: requires finetune.objective: dpo or sft+dpo',
    ],
    [
      'finetune: { objective: dpo }\n',
      'run.yaml:3: finetune.objective: dpo requires startFrom: previous: pairs alone do not teach the base model to answer',
    ],
    [
      'finetune: { objective: sft+dpo, preference: { labelSmoothing: 0.5 } }\n',
      'run.yaml:3: finetune.preference.labelSmoothing: must be less than 0.5',
    ],
    [
      'trainer: torchrun\nfinetune: { attention: flash }\n',
      'run.yaml:4: finetune.attention: flash requires finetune.computeDtype: bfloat16',
    ],
    [
      'trainer: torchrun\nsharding: deepspeed\nfinetune: { objective: sft+dpo }\n',
      'run.yaml:5: finetune.objective: dpo and sft+dpo are not supported with sharding: deepspeed; fsdp is',
    ],
    [
      'evaluate: { benchmarks: [{ benchmark: seed-bench, file: a, answers: generated }] }\n',
      'run.yaml:3: evaluate.benchmarks[0].answers: seed-bench is ranked only',
    ],
    [
      'evaluate: { benchmarks: [{ benchmark: seed-bench, file: a, questions: { metric: anls } }] }\n',
      'run.yaml:3: evaluate.benchmarks[0].questions: seed-bench is read and scored as its authors say',
    ],
    [
      'evaluate: { benchmarks: [{ benchmark: questions, file: a, questions: { metric: anls, tolerance: 0.1 } }] }\n',
      'run.yaml:3: evaluate.benchmarks[0].questions.tolerance: anls has none',
    ],
    [
      'evaluate: { benchmarks: [{ benchmark: questions, file: a, questions: { metric: anls, judge: {} } }] }\n',
      'run.yaml:3: evaluate.benchmarks[0].questions.judge: anls has none',
    ],
    [
      'evaluate: { benchmarks: [{ benchmark: seed-bench, file: a, prompt: opencompass }] }\n',
      'run.yaml:3: evaluate.benchmarks[0].prompt: seed-bench is asked for in the words of training only',
    ],
    [
      'evaluate: { benchmarks: [{ benchmark: mmbench, file: a, prompt: opencompass, answers: ranked }] }\n',
      'run.yaml:3: evaluate.benchmarks[0].prompt: only written answers are asked for so: set answers to generated',
    ],
    ['processes: 4\n', 'run.yaml:3: processes: more than one requires trainer: torchrun'],
    [
      'sharding: fsdp\n',
      'run.yaml:3: sharding: requires trainer: torchrun; the TensorFlow trainer keeps the whole model on one GPU',
    ],
  ])('gives line and field of a value that is not allowed: %j', async (addition, message) => {
    expect(await messageOf(least + addition)).toContain(message);
  });

  it('names a key that is missing', async () => {
    expect(await messageOf('model: { path: a }\n')).toContain('run.yaml: data: is missing');
    expect(await messageOf('')).toContain('run.yaml: model: is missing');
  });

  it('gives the line of a YAML syntax error', async () => {
    expect(await messageOf('seed: 1\nmodel: { path: a\ndata: 1\n')).toMatch(/^run\.yaml:3:\d+: is not valid YAML: /);
    expect(await messageOf('seed: 1\nseed: 2\n')).toMatch(/^run\.yaml:2:1: is not valid YAML: Map keys must be unique/);
  });

  it('names a missing file', async () => {
    await expect(loadConfig('no-such.yaml')).rejects.toThrow('no-such.yaml: no such file');
  });

  it('expands environment variables, with or without a default', async () => {
    vi.stubEnv('SLICE', '/images');
    vi.stubEnv('EMPTY', '');
    const { data, model } = await load(
      'model: { path: "${EMPTY:-data}/${ABSENT:-stage1}" }\ndata: { root: "${SLICE}/coco" }\n',
    );
    expect(data.root).toBe('/images/coco');
    expect(model.path).toMatch(/\/data\/stage1$/);
  });

  it('names the field of a variable that is not set', async () => {
    const message = await messageOf('model: { path: a }\ndata: { root: "${ABSENT_ONE}" }\n');
    expect(message).toContain('data.root: the environment variable ABSENT_ONE is not set');
  });

  it('lets overrides win', async () => {
    const overrides = { dataRoot: '/other', run: 'nightly', seed: 7, rounds: 0, samplingStrategy: 'uniform' } as const;
    const config = await load(`${least}seed: 1\nsampling: { requests: 5 }\n`, overrides);
    expect(config).toMatchObject({ run: 'nightly', seed: 7, rounds: 0, data: { root: '/other' } });
    expect(config.sampling).toMatchObject({ strategy: 'uniform', requests: 5 });
  });
});

describe('the configs that ship', async () => {
  const files = (await readdir('configs')).filter(
    (file) => file.endsWith('.yaml') && !['question-types.yaml', 'prices.yaml'].includes(file),
  );

  it.each(files)('%s is valid', async (file) => {
    const config = await loadConfig(join('configs', file));
    // The same config may be run under several names.
    expect(config.run).toBeUndefined();
  });

  it("minigpt4-7b.yaml says the defaults, but for the reference's 4 GPUs in one batch", async () => {
    const { finetune, sampling, teacher } = await loadConfig('configs/minigpt4-7b.yaml');
    const defaults = await load(least);
    expect({ ...finetune, batchSize: 16, generatedSampleRatios: undefined }).toEqual(defaults.finetune);
    expect(finetune.generatedSampleRatios).toEqual([70, 135]);
    expect({ sampling, teacher }).toEqual({ sampling: defaults.sampling, teacher: defaults.teacher });
  });

  it('schema.json is up to date (npm run schema writes it)', async () => {
    expect(JSON.parse(await readFile('configs/schema.json', 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(configJsonSchema())),
    );
  });

  it('the page about all keys is up to date, and says of each what it means', async () => {
    const page = configurationPage();
    expect(await readFile('docs/configuration.md', 'utf8')).toBe(page);
    expect(page.split('\n').filter((line) => /^\|.*\|\s+\|$/.test(line) && !line.startsWith('| key'))).toEqual([]);
  });
});

it('docs/worker-settings.md is current: `npm run schema` writes it', async () => {
  expect(await readFile('docs/worker-settings.md', 'utf8')).toBe(workerSettingsPage());
});
