/** Families of transformers rank the choices of a question: its images are opened and prepared once for all of them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

interface Counted {
  opened: number;
  prepared: number;
  difference: number;
}

const MADE_APART = ['qwen2_5_vl', 'internvl', 'llava_next', 'llava_onevision'];
const MADE = [
  ...['deepseek_vl', 'gemma3', 'glm4v', 'idefics2', 'idefics3', 'llava_next_video'],
  ...['mllama', 'paligemma', 'smolvlm', 'video_llava', 'vipllava'],
];

describe.skipIf(!torchIsSetUp)('the choices of a question', () => {
  let folder: string;
  const inFolder = (name: string) => path.join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'choices-'));
    await torchPython('make-family.py', folder, ...MADE);
    for (const kind of MADE_APART) await torchPython('make-chat-model.py', kind, inFolder(kind));
    for (const [name, width, height] of [
      ['one.png', 96, 64],
      ['other.png', 60, 80],
    ] as const) {
      const noise = { type: 'gaussian', mean: 120, sigma: 60 } as const;
      await sharp({ create: { width, height, channels: 3, background: 'white', noise } })
        .png()
        .toFile(inFolder(name));
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('of all families share what is made of an image, and have the losses of each alone', async () => {
    const kinds = [...MADE, ...MADE_APART];
    const printed = await torchPython('count-choices.py', ...['one.png', 'other.png', ...kinds].map(inFolder));
    const found: Record<string, { single: Counted; both: Counted | string }> = JSON.parse(printed);
    expect(Object.keys(found).sort()).toEqual([...kinds].sort());
    for (const [kind, { single, both }] of Object.entries(found)) {
      expect(single, kind).toMatchObject({ opened: 1, prepared: 1 });
      expect(single.difference, kind).toBeLessThan(1e-5);
      if (typeof both === 'string') {
        expect(both, kind).toMatch(/takes one/);
        continue;
      }
      expect(both, kind).toMatchObject({ opened: 2, prepared: 2 });
      expect(both.difference, kind).toBeLessThan(1e-5);
    }
  });
});
