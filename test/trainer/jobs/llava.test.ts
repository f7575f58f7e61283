/** The second family through the whole of a round's model steps, by the same code as the first. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { llavaPromptForm } from '../../../src/model/families/llava/prompt.ts';
import { questionTurn } from '../../../src/model/families/prompt-form.ts';
import { readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { embed } from '../../../src/trainer/jobs/embed/embed.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import { promptIds, promptSettings, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';
import { lossesIn, recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type TinyMixture, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';

let folder: string;
let mixture: TinyMixture;
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'llava-'));
  await writeTinyModel(at('model'), { family: 'llava' });
  mixture = await writeTinyMixture(at('mixture'), 40);
  await finetune(tinyFinetune(at('model'), mixture, at('adapter')), recordingReporter());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('is finetuned: the loss falls, and the adapter is on the language model alone', async () => {
  const losses = await lossesIn(at('adapter'));
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.3);
  const file = await openSafetensors(path.join(at('adapter'), 'adapter_model.safetensors'));
  const names = [...file.tensors.keys()];
  await file.close();
  expect(names).toContain('base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight');
  expect(names.filter((name) => !name.includes('.language_model.'))).toEqual([]);
  const { target_modules } = JSON.parse(await readFile(path.join(at('adapter'), 'adapter_config.json'), 'utf8'));
  const meant = new RegExp(`^(?:${target_modules})$`);
  expect(meant.test('model.language_model.layers.1.mlp.down_proj')).toBe(true);
  // CLIP has a q_proj as well: PEFT must not put an adapter there when it loads ours.
  expect(meant.test('model.vision_tower.encoder.layers.0.self_attn.q_proj')).toBe(false);
});

test('starts from its adapter of the previous round', async () => {
  const output = await temporaryFolder();
  const further = {
    startAdapter: at('adapter'),
    steps: 2,
    learningRate: { initial: 0, peak: 1e-9, final: 0, warmupSteps: 1 },
  };
  await finetune(tinyFinetune(at('model'), mixture, output, further), recordingReporter());
  const [before] = await lossesIn(at('adapter'));
  const [after] = await lossesIn(output);
  expect(after).toBeLessThan((before as number) - 0.3);
});

test('is merged, evaluated and embedded with as MiniGPT-4 is', async () => {
  const parity = { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 };
  const merged = at('merged');
  const { metrics } = await merge(
    { model: at('model'), adapter: at('adapter'), output: merged, parity },
    recordingReporter(),
  );
  expect(metrics.maximumDifference).toBeGreaterThan(0);
  expect(metrics.maximumDifference).toBeLessThan(1e-4);

  const scored = async (model: string) => {
    const output = path.join(await temporaryFolder(), 'losses.jsonl');
    await evaluate({ model, questions: mixture.asked, batchSize: 4, output }, recordingReporter());
    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    return lines.flatMap((line) => (JSON.parse(line) as { losses: number[] }).losses);
  };
  const [before, after] = [await scored(at('model')), await scored(merged)];
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(after).toHaveLength(4 * mixture.questions.length);
  expect(mean(after)).toBeLessThan(mean(before));

  const output = path.join(await temporaryFolder(), 'embeddings.safetensors');
  const images = mixture.samples.slice(0, 3).map(({ image }) => image);
  await embed({ model: merged, images, output }, recordingReporter());
  const file = await openSafetensors(output);
  expect(file.tensors.get('embeddings')?.shape).toEqual([3, 32]);
  await file.close();
});

test('a prompt is tokenized as one text, its mark a place for every patch', async () => {
  const tokenizer = await loadTokenizer(at('model'));
  const model = await readModelDirectory(at('model'));
  const settings = promptSettings(model, tokenizer);
  await model.close();
  const prompt = questionTurn(llavaPromptForm, 'What is red?', { withImage: true });
  expect(prompt).toBe('USER: <image>\nWhat is red? ASSISTANT:');
  const { ids, imageStart } = await promptIds(prompt, settings);
  expect(ids.slice(imageStart, imageStart + 4)).toEqual([3, 3, 3, 3]);
  expect(ids.filter((id) => id === 3)).toHaveLength(4);
  const { tokenIds, answerStart } = await trainingSequence(prompt, 'A bus.', { ...settings, maximumTokens: 99 });
  expect(tokenizer.decode(tokenIds.slice(answerStart))).toBe(' A bus.</s>');
  expect(tokenIds.at(-1)).toBe(1);
});
