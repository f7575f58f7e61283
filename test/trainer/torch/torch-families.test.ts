/**
 * Cases `parity/torchrun-families` and `parity/torchrun-own-family-gaps`: families of transformers, held against transformers
 * alone. What is expected here is the table of docs/torchrun.md.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeFileAtomically, writeJson, writeJsonLines } from '../../../src/core/write-file.ts';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference, tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeAsked, writeTinyMixture } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { answersIn } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

const NEEDS_IMAGE = "has no image, and PaliGemma's processor takes no question without one";
const NEEDS_CLIP =
  "DeepseekVLForConditionalGeneration can't embed images: set sampling.embeddings.model to a CLIP directory";
/** What a family does not do, and why. */
const FAMILIES: Record<string, { blind?: string; embedding?: string }> = {
  deepseek_vl: { embedding: NEEDS_CLIP },
  gemma3: {},
  glm4v: {},
  idefics2: {},
  idefics3: {},
  llava_next_video: {},
  mllama: {},
  paligemma: { blind: NEEDS_IMAGE },
  smolvlm: {},
  video_llava: {},
  vipllava: {},
};

/** What check-family.py prints of one. */
interface Checked {
  learning: number;
  ranking: number;
  written: boolean;
  blind: number | string;
  batch: number;
  embedding: number | string;
}

describe.skipIf(!torchIsSetUp)('a family of transformers', () => {
  let folder: string;
  let mixture: TinyMixture;
  const inFolder = (...names: string[]) => path.join(folder, ...names);

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'families-'));
    await torchPython('make-family.py', folder, ...Object.keys(FAMILIES));
    mixture = await writeTinyMixture(inFolder('mixture'), 8);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('learns, ranks, writes and embeds as transformers alone does, whatever is beside it in a batch', async () => {
    const [one, other] = [...new Set(mixture.samples.map(({ image }) => image))] as [string, string];
    const printed = await torchPython('check-family.py', folder, one, other, ...Object.keys(FAMILIES));
    const found: Record<string, Checked> = JSON.parse(printed);
    expect(Object.keys(found)).toEqual(Object.keys(FAMILIES));
    for (const [kind, expected] of Object.entries(FAMILIES)) {
      const checked = found[kind] as Checked;
      expect(checked.learning, kind).toBeLessThan(1e-5);
      expect(checked.ranking, kind).toBeLessThan(1e-5);
      expect(checked.written, kind).toBe(true);
      expect(checked.batch, kind).toBeLessThan(1e-5);
      if (expected.blind) expect(checked.blind, kind).toBe(expected.blind);
      else expect(checked.blind, kind).toBeLessThan(1e-5);
      if (expected.embedding) expect(checked.embedding, kind).toBe(expected.embedding);
      else expect(checked.embedding, kind).toBeGreaterThan(1e-3);
    }
  });

  const finetune = (kind: string, name: string, changes: Partial<FinetuneJob>): FinetuneJob =>
    tinyFinetune(inFolder(kind), mixture, inFolder(name), {
      lora: { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj'] },
      steps: 2,
      batchSize: 4,
      ...changes,
    });

  test('mllama: samples without an image learn alike in batches of any size', async () => {
    const samples = inFolder('blind.jsonl');
    await writeJsonLines(
      samples,
      mixture.samples.map(({ image, ...sample }, at) => (at % 2 ? sample : { ...sample, image })),
    );
    const losses = [];
    for (const microBatchSize of [4, 1]) {
      const job = finetune('mllama', `mllama-${microBatchSize}`, { samples, microBatchSize });
      await runTorch(job, job.output, { processes: 1 });
      losses.push(await lossesIn(job.output));
    }
    expect(maximumDifference(losses[0] as number[], losses[1] as number[])).toBeLessThan(1e-4);
  });

  test('paligemma: a sample without an image is an error of the input before any step', async () => {
    const samples = inFolder('blind.jsonl');
    await writeJsonLines(
      samples,
      mixture.samples.map(({ image: _, ...sample }) => sample),
    );
    const job = finetune('paligemma', 'paligemma-blind', { samples, microBatchSize: 4 });
    await expect(runTorch(job, job.output, { processes: 1 })).rejects.toThrow(NEEDS_IMAGE);
  });

  test('processor_config.json alone and a list of end tokens, as transformers 5 writes them', async () => {
    const old = inFolder('vipllava');
    const model = inFolder('newer');
    await cp(old, model, { recursive: true });
    const contentOf = async (name: string) => JSON.parse(await readFile(path.join(model, name), 'utf8'));
    const processor = await contentOf('processor_config.json');
    const image_processor = await contentOf('preprocessor_config.json');
    await rm(path.join(model, 'preprocessor_config.json'));
    await rm(path.join(model, 'generation_config.json'), { force: true });
    await writeJson(path.join(model, 'processor_config.json'), { ...processor, image_processor });
    const generate = { question: 'What is left?', maximumNewTokens: 6 };
    const [{ image } = { image: '' }] = mixture.samples;
    const asked = {
      question_id: '1',
      image,
      question: 'Where?',
      answerStart: '',
      answers: ['here', 'there'],
      generate,
    };
    const questions = inFolder('questions.jsonl');
    await writeAsked(questions, [asked]);
    const answered = async (directory: string, name: string) => {
      const job = { kind: 'evaluate', model: directory, questions, batchSize: 2, output: inFolder(name) } as const;
      await runTorch(job, inFolder('job'), { processes: 1 });
      return answersIn(job.output);
    };
    const before = await answered(old, 'old.jsonl');
    // Every token but special ones ends an answer.
    const { vocab_size } = (await contentOf('config.json')).text_config;
    const ends = Array.from({ length: vocab_size - 6 }, (_, at) => at + 6);
    const config = path.join(model, 'config.json');
    // Its text is changed, since 1.0 must not become 1.
    const content = await readFile(config, 'utf8');
    await writeFileAtomically(config, content.replace('"eos_token_id": 1', `"eos_token_id": ${JSON.stringify(ends)}`));
    const after = await answered(model, 'newer.jsonl');
    expect(maximumDifference(after.losses, before.losses)).toBeLessThan(1e-6);
    expect((before.texts[0] as string).length).toBeGreaterThan((after.texts[0] as string).length);
  });

  test.each([
    ['florence2', 'it has an encoder and a decoder, and only decoders are trained here'],
    ['instructblip', 'its Q-Former reads the whole text, so the tokens of an answer would depend on those behind them'],
    ['aya_vision', 'it was not held against transformers yet; checked are blip-2, '],
    ['diffusion_gemma', 'it writes blocks of tokens by diffusion, so an answer has no token losses'],
  ])('%s is refused with the reason, before any of its other files is read', async (model_type, reason) => {
    const model = inFolder(`refused-${model_type}`);
    await writeJson(path.join(model, 'config.json'), { model_type });
    const job = { kind: 'evaluate', model, questions: mixture.asked, batchSize: 2, output: inFolder('none') } as const;
    await expect(runTorch(job, inFolder('job'), { processes: 1 })).rejects.toThrow(
      `${model}/config.json: model_type: ${model_type} is not supported: ${reason}`,
    );
  });
});
