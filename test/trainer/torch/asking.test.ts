/**
 * What is merged says how to be asked: by the files of a merged model alone, transformers makes the prompts of training to the
 * token, and writes what we write.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Turn } from '../../../src/datasets/train-dataset.ts';
import { writeAskingFiles } from '../../../src/model/files/asking-files.ts';
import { readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { conversationPieces, conversationSequence } from '../../../src/trainer/jobs/conversation.ts';
import { generateTexts } from '../../../src/trainer/jobs/generate-text.ts';
import { promptSettings } from '../../../src/trainer/jobs/sequence.ts';
import { writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

let folder: string;
let images: [string, string];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'asking-'));
  const questions = await writeTinyQuestions(path.join(folder, 'questions'), 4);
  images = (await readdir(questions.images)).map((name) => path.join(questions.images, name)) as [string, string];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const turn = (role: Turn['role'], text: string, ...shown: string[]): Turn => ({
  role,
  content: [...shown.map((image) => ({ image })), { text }] as Turn['content'],
});

/** Conversations that end with an answer. */
function conversations(): Record<string, Turn[]> {
  const [one, other] = images;
  const first: Turn[] = [
    turn('user', 'What is red?\n', one),
    { ...turn('assistant', 'The answer is (A).'), learned: false },
  ];
  const second: Turn[] = [turn('user', ' Where is it?'), turn('assistant', 'It is left of the dog.')];
  return {
    'one turn': [turn('user', 'What is red?\n', one), turn('assistant', 'The answer is (A).')],
    'without image': second,
    'several turns': [...first, ...second],
    'system prompt': [turn('system', 'Answer in one sentence.'), ...first, ...second],
    'several images': [turn('user', 'Which of them is red?', one, other), turn('assistant', 'The first.')],
    'later image': [...first, turn('user', 'And here?', other), turn('assistant', 'No.')],
  };
}

async function asked(
  model: string,
  program: string,
  turns: (readonly Turn[])[],
  generation: boolean,
  ...rest: string[]
) {
  const file = path.join(folder, 'asked.json');
  await writeFile(file, JSON.stringify(turns.map((one) => ({ turns: one, generation }))));
  return JSON.parse(await torchPython('check-asking.py', program, model, file, ...rest));
}

describe.skipIf(!torchIsSetUp)('a merged model of ours', () => {
  test('LLaVA-1.5: AutoProcessor gives the ids of training, with and without the prompt of an answer', async () => {
    const model = path.join(folder, 'llava');
    await writeTinyModel(model, { family: 'llava' });
    await writeAskingFiles(model);
    const directory = await readModelDirectory(model);
    await directory.close();
    const settings = { ...promptSettings(directory, await loadTokenizer(model)), maximumTokens: 4096 };
    const kinds = Object.entries(conversations());
    const sequences = await Promise.all(kinds.map(([, turns]) => conversationSequence(turns, settings)));
    const found: { ids: number[] }[] = await asked(
      model,
      'ids',
      kinds.map(([, turns]) => turns),
      false,
    );
    const prompts: { ids: number[] }[] = await asked(
      model,
      'ids',
      kinds.map(([, turns]) => turns.slice(0, -1)),
      true,
    );
    for (const [index, [kind]] of kinds.entries()) {
      const { tokenIds, answerStart } = sequences[index] as (typeof sequences)[number];
      expect(found[index]?.ids, kind).toEqual(tokenIds);
      expect(prompts[index]?.ids, kind).toEqual(tokenIds.slice(0, answerStart));
    }
  });

  test('LLaVA-1.5: transformers writes greedily what we write, with nothing but the files of the model', async () => {
    const model = path.join(folder, 'written');
    await writeTinyModel(model, { family: 'llava', seed: 3 });
    await writeFile(
      path.join(model, 'generation_config.json'),
      JSON.stringify({ do_sample: true, temperature: 0.2, num_beams: 3, _from_model_config: true }),
    );
    await writeAskingFiles(model);
    const questions = ['What is red?', 'Where is the dog?'];
    const requests = questions.map((prompt, index) => ({ id: `${index}`, prompt, image: images[index] as string }));
    const ours = await generateTexts(model, requests, { strategy: { kind: 'greedy' }, maximumNewTokens: 12 });
    const turns = requests.map(({ prompt, image }) => [turn('user', prompt, image)]);
    const theirs: string[] = await asked(model, 'written', turns, true, '12');
    expect(theirs.map((text) => text.trim())).toEqual(ours.map(({ text }) => text.trim()));
    expect(ours.every(({ text }) => text !== '')).toBe(true);
  });

  test('MiniGPT-4, of which transformers has no class: the template gives the text of training', async () => {
    const model = path.join(folder, 'minigpt4');
    await writeTinyModel(model);
    await writeAskingFiles(model);
    const directory = await readModelDirectory(model);
    await directory.close();
    const settings = { ...promptSettings(directory, await loadTokenizer(model)), maximumTokens: 4096 };
    const kinds = Object.entries(conversations());
    const turnsOf = kinds.map(([, turns]) => turns);
    const found: { text: string; ids: number[] }[] = await asked(model, 'texts', turnsOf, false);
    for (const [index, [kind, turns]] of kinds.entries()) {
      const text = conversationPieces(turns, settings.form).map((piece) => piece.text);
      expect(found[index]?.text, kind).toBe(`<s>${text.join('')}`);
    }
    // A question has the ids of training as well, with one mark for all embeddings of an image.
    const questions = kinds.map(([, turns]) => turns.slice(0, 1));
    const prompts: typeof found = await asked(model, 'texts', questions, true);
    const mark = settings.tokenizer.tokenId(settings.form.imageMark);
    for (const index of [0, 1]) {
      const { tokenIds, answerStart } = await conversationSequence(turnsOf[index] as Turn[], settings);
      const ids = prompts[index]?.ids.flatMap((id) => (id === mark ? new Array(settings.queries).fill(mark) : id));
      expect(ids).toEqual(tokenIds.slice(0, answerStart));
    }
  });
});

/** By the script that makes them. */
const OF_FAMILIES = [
  ...['deepseek_vl', 'gemma3', 'glm4v', 'idefics2', 'idefics3', 'llava_next_video', 'mllama', 'paligemma'],
  ...['qwen3_vl', 'smolvlm', 'video_llava', 'vipllava'],
];
const OF_CHAT_MODELS = ['internvl', 'llava_next', 'llava_onevision', 'qwen2_5_vl'];
/** Those whose template puts nothing behind an answer. */
const WITHOUT_END = ['llava_next', 'llava_onevision'];

const MLLAMA = 'turns: Mllama takes one image, in the first turn of the user: leave conversations with others out';
const PALIGEMMA =
  'turns: PaliGemma learns one answer to a prompt, without a system prompt, about one image: leave others out';
const REFUSED: Record<string, Record<string, string>> = {
  mllama: { 'several images': MLLAMA, 'later image': MLLAMA },
  paligemma: {
    'without image': "has no image, and PaliGemma's processor takes no question without one",
    'several turns': PALIGEMMA,
    'three turns': PALIGEMMA,
    'system prompt': PALIGEMMA,
    'several images': PALIGEMMA,
    'later image': PALIGEMMA,
  },
};

interface Checked {
  notes: string[];
  'own template': boolean;
  ends: boolean;
  answers: [string, string];
  samples: Record<string, string>;
}

describe.skipIf(!torchIsSetUp)('a merged model of a family of transformers', () => {
  test('has the ids of training and answers as ours, by its own files alone', async () => {
    const directory = path.join(folder, 'families');
    await torchPython('make-family.py', directory, ...OF_FAMILIES);
    for (const kind of OF_CHAT_MODELS) await torchPython('make-chat-model.py', kind, path.join(directory, kind));
    const kinds = [...OF_FAMILIES, ...OF_CHAT_MODELS];
    const models = kinds.map((kind) => path.join(directory, kind));
    const found: Record<string, Checked> = JSON.parse(
      await torchPython('check-asking.py', 'families', ...images, ...models),
    );
    for (const kind of kinds) {
      const { notes, samples, answers, ends, ...checked } = found[kind] as Checked;
      expect(notes, kind).toEqual([]);
      expect(checked['own template'], kind).toBe(!WITHOUT_END.includes(kind));
      expect(ends, kind).toBe(true);
      expect(answers[1], kind).toBe(answers[0]);
      for (const [sample, result] of Object.entries(samples)) {
        expect(result, `${kind}, ${sample}`).toBe(REFUSED[kind]?.[sample] ?? 'equal');
      }
    }
  });

  test('that had its template in chat_template.json has it in chat_template.jinja, which all programs read', async () => {
    const directory = path.join(folder, 'named');
    await torchPython('make-family.py', directory, 'qwen3_vl');
    const model = path.join(directory, 'qwen3_vl');
    const template = path.join(model, 'chat_template.jinja');
    await writeFile(
      path.join(model, 'chat_template.json'),
      JSON.stringify({ chat_template: await readFile(template, 'utf8') }),
    );
    await rm(template);
    const found = JSON.parse(await torchPython('check-asking.py', 'families', ...images, model));
    const { samples, ...checked } = found.qwen3_vl as Checked;
    expect(checked).toMatchObject({ notes: [], 'own template': true });
    expect(new Set(Object.values(samples))).toEqual(new Set(['equal']));
    const files = await readdir(`${model}-merged`);
    expect(files).toContain('chat_template.jinja');
    expect(files).not.toContain('chat_template.json');
  });
});
