/**
 * Conversations: both trainers beside one another, and families of transformers held against transformers alone, whose loss is on
 * the same tokens. What is expected here is the table of docs/torchrun.md.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeJsonLines } from '../../../src/core/write-file.ts';
import type { TrainingSample, Turn } from '../../../src/datasets/train-dataset.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import { lossesIn, maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

const turn = (role: Turn['role'], text: string, ...images: string[]): Turn => ({
  role,
  content: [...images.map((image) => ({ image })), { text }] as Turn['content'],
});

/** Conversations of all kinds, and a sample of one question. */
function samplesAbout(images: readonly string[]): TrainingSample[] {
  const [a, b, c] = images as [string, string, string];
  const first = [turn('user', 'What is red?', a), turn('assistant', 'The answer is (A).')];
  const later = [turn('user', 'Where is it?'), turn('assistant', 'It is left of the dog.')];
  const conversations = [
    [...first, ...later],
    [turn('system', 'Answer in one sentence.'), ...later],
    [...first, { ...(later[1] as Turn), role: 'user' as const }, { ...(first[1] as Turn), learned: false as const }],
    [
      turn('user', 'Which of them is red?', a, b),
      turn('assistant', 'The first.'),
      turn('user', 'And here?', c),
      ...later.slice(1),
    ],
    [...later, ...first, ...later],
  ];
  return [
    { id: 'single', source: 's', image: b, prompt: 'What is blue?\n', answer: 'The dog.' },
    ...conversations.map((turns, index) => ({ id: String(index), source: 's', turns: turns as [Turn, ...Turn[]] })),
  ];
}

describe.skipIf(!torchIsSetUp).each(['minigpt4', 'llava'] as const)('%s, on both trainers', (family) => {
  let rig: TorchRig;
  let files: { samples: string; order: string };

  beforeAll(async () => {
    rig = await torchRig(family);
    const folder = path.join(rig.folder, 'conversations');
    await mkdir(folder);
    files = { samples: path.join(folder, 'samples.jsonl'), order: path.join(folder, 'order.json') };
    const images = [...new Set(rig.mixture.samples.map(({ image }) => image))];
    await writeJsonLines(files.samples, samplesAbout(images));
    await writeFile(files.order, JSON.stringify(Array.from({ length: 24 }, (_, draw) => (draw * 5) % 6)));
  });
  afterAll(() => rig?.remove());

  test.each([
    ['as they are', {}],
    ['cut short, in parts', { maximumTokens: 40, microBatchSize: 2 }],
    ['with random parts of the images', { augmentation: 'random-resized-crop' as const, groupSize: 2 }],
  ])('conversations, %s: the loss curve is the same', async (name, changes) => {
    const [ours, theirs] = ['ours', 'theirs'].map((side) => path.join(rig.folder, `${side} ${name}`)) as [
      string,
      string,
    ];
    const job = (output: string) => rig.job(output, { ...files, steps: 6, ...changes });
    await finetune(job(ours), recordingReporter());
    await runTorch(job(theirs), theirs, { processes: name === 'as they are' ? 2 : 1 });
    const losses = await lossesIn(ours);
    expect(losses.every((loss) => loss > 0)).toBe(true);
    expect(maximumDifference(await lossesIn(theirs), losses)).toBeLessThan(1e-3);
    if (name !== 'as they are') return;
    const parity = { samples: files.samples, count: 6, tolerance: 1e-3 };
    const merged = (side: string) => ({ ...rig.mergeJob(ours, path.join(rig.folder, side)), parity });
    await merge(merged('by us'), recordingReporter());
    const { metrics } = await runTorch(merged('by them'), path.join(rig.folder, 'job'), { processes: 1 });
    expect(metrics.maximumDifference).toBeLessThan(1e-3);
  });
});

const MANY = 'several images';
const LATER = 'later image';
const ALL = ['turns', 'system', 'left out', 'words', LATER, MANY, 'images in words'];
const PALIGEMMA =
  'turns: PaliGemma learns one answer to a prompt, without a system prompt, about one image: leave others out';
const MLLAMA = 'turns: Mllama takes one image, in the first turn of the user: leave conversations with others out';
const ONEVISION =
  'turns: LlavaOnevisionProcessor reads an image in another way once another follows: show all images in the first turn';
/** What a family does not do, and why. */
const REFUSED: Record<string, Record<string, string>> = {
  paligemma: Object.fromEntries(ALL.map((kind) => [kind, PALIGEMMA])),
  mllama: { [LATER]: MLLAMA, [MANY]: MLLAMA, 'images in words': MLLAMA },
  llava_onevision: { [LATER]: ONEVISION },
};
const OF_CHAT_MODELS = ['internvl', 'llava_next', 'llava_onevision', 'qwen2_5_vl'];
const OF_FAMILIES = [
  'deepseek_vl',
  'gemma3',
  'glm4v',
  'idefics2',
  'idefics3',
  'llava_next_video',
  'mllama',
  'paligemma',
  'qwen3_vl',
  'smolvlm',
  'video_llava',
  'vipllava',
];

type Checked = Record<string, { refused: string } | { same: boolean; difference: number; learned: string }>;

describe.skipIf(!torchIsSetUp)('a family of transformers', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'conversations-'));
    await torchPython('make-family.py', folder, ...OF_FAMILIES);
    for (const kind of OF_CHAT_MODELS) await torchPython('make-chat-model.py', kind, path.join(folder, kind));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('has the ids and learns the tokens that transformers alone gives, in its own chat template', async () => {
    const { images } = await writeTinyQuestions(path.join(folder, 'questions'), 4);
    const [one, other] = (await readdir(images)).map((name) => path.join(images, name)) as [string, string];
    const kinds = [...OF_FAMILIES, ...OF_CHAT_MODELS];
    const printed = await torchPython(
      'check-conversations.py',
      one,
      other,
      ...kinds.map((kind) => path.join(folder, kind)),
    );
    const found: Record<string, Checked & { batch: number }> = JSON.parse(printed);
    for (const kind of kinds) {
      const { batch, ...conversations } = found[kind] as Checked & { batch: number };
      expect(Object.keys(conversations)).toEqual(ALL);
      for (const [name, checked] of Object.entries(conversations)) {
        const place = `${kind}, ${name}`;
        const refused = REFUSED[kind]?.[name];
        if (refused !== undefined || 'refused' in checked) {
          expect(checked, place).toEqual({ refused });
          continue;
        }
        expect(checked.same, place).toBe(true);
        expect(checked.difference, place).toBeLessThan(1e-5);
        const answers = name === 'left out' ? ['Three.'] : name.includes('words') || name === LATER ? [] : ['Three.'];
        for (const answer of answers) expect(checked.learned, place).toContain(answer);
        if (name === 'left out') expect(checked.learned, place).not.toContain('know');
        expect(checked.learned, place).not.toMatch(/Where|How many|brief|What|And/);
      }
      expect(batch, kind).toBeLessThan(1e-5);
    }
  });
});
