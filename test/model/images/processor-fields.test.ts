/**
 * Every field of `preprocessor_config.json` and `processor_config.json`, one changed at a time: the pixels of
 * `AutoImageProcessor`, or an error that names the field. `test/fixtures/make-processor-fields-fixture.py` recorded what
 * `transformers` makes of each. Among them are the cases `parity/processor-type-ignored` and
 * `parity/processor-config-precedence`.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { preprocessImage } from '../../../src/model/images/preprocess.ts';
import { readPreprocessorConfig, withoutEffectOnPixels } from '../../../src/model/images/processor-config.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

type Json = Record<string, unknown>;
interface Change {
  base: string;
  change?: Json;
  newer?: Json;
  newerAlone?: Json;
  shape?: number[];
  sha256?: string;
  refusal?: string;
}
const FIXTURES = path.join(import.meta.dirname, '../../fixtures');
const recorded = JSON.parse(await readFile(path.join(FIXTURES, 'processor-fields.json'), 'utf8')) as {
  deleted: string;
  bases: Record<string, Json>;
  changes: Change[];
};
const unchanged = (base: string) => recorded.changes.find((one) => one.base === base) as Change;

/** The files of a model directory with this change. */
function filesOf({ base, change = {}, newer, newerAlone }: Change): Record<string, Json> {
  if (newerAlone) return { 'processor_config.json': { image_processor: newerAlone } };
  const settings = Object.entries({ ...recorded.bases[base], ...change });
  const older = Object.fromEntries(settings.filter(([, value]) => value !== recorded.deleted));
  return { 'preprocessor_config.json': older, ...(newer && { 'processor_config.json': newer }) };
}

async function written(change: Change, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const model = change.base.startsWith('llava') ? 'tiny-llava' : 'tiny-blip2';
  await copyFile(path.join(FIXTURES, model, 'config.json'), path.join(directory, 'config.json'));
  for (const [name, content] of Object.entries(filesOf(change))) {
    await writeFile(path.join(directory, name), JSON.stringify(content));
  }
  return directory;
}

async function pixelsOf(directory: string): Promise<Pick<Change, 'shape' | 'sha256'>> {
  const config = await readPreprocessorConfig(directory);
  const pixels = await preprocessImage(path.join(FIXTURES, 'images/tall.png'), config);
  const bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return {
    shape: [1, 3, config.height, config.width],
    sha256: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
  };
}

test.each(Object.keys(recorded.bases))(
  'every field gives the pixels of transformers, or is named: %s',
  async (base) => {
    const folder = await temporaryFolder();
    const wrong: unknown[] = [];
    const computed: string[] = [];
    for (const [index, change] of recorded.changes.filter((one) => one.base === base).entries()) {
      const directory = await written(change, path.join(folder, String(index)));
      try {
        const found = await pixelsOf(directory);
        const { shape, sha256 } = change.sha256 ? change : unchanged(base);
        const isEqual = found.sha256 === sha256 && found.shape?.join() === shape?.join();
        // What transformers crashes on may well be computed here.
        if (change.refusal === undefined && !isEqual) wrong.push({ ...change, found });
        computed.push(JSON.stringify(change.change ?? change.newer ?? change.newerAlone));
      } catch (error) {
        const isNamed = error instanceof InputError && error.field !== '' && error.message.includes(directory);
        if (!isNamed) wrong.push({ ...change, error: String(error) });
      }
    }
    expect(wrong).toEqual([]);
    // Not refused: the files that transformers 5 writes, alone or beside an older one that says otherwise.
    const other = { image_mean: [0.1, 0.2, 0.3], image_std: [0.9, 0.8, 0.7] };
    const image_processor = { ...recorded.bases[base], ...other };
    expect(computed).toEqual(
      expect.arrayContaining([{ image_processor }, image_processor].map((one) => JSON.stringify(one))),
    );
  },
);

test('the fields that are said to change nothing change nothing in transformers', () => {
  for (const base of Object.keys(recorded.bases)) {
    for (const field of withoutEffectOnPixels) {
      const tried = recorded.changes.filter(
        (one) => one.base === base && Object.keys(one.change ?? {}).join() === field,
      );
      expect(tried.length, `${base}: ${field} is not in the fixture`).toBeGreaterThan(0);
      for (const { sha256, refusal } of tried)
        expect([sha256, refusal], `${base}: ${field}`).toEqual([undefined, undefined]);
    }
  }
});

test.each([
  ['a processor that does not exist', { image_processor_type: 'FooImageProcessor' }, 'image_processor_type'],
  ['tiles', { image_processor_type: 'LlavaNextImageProcessor' }, 'image_processor_type'],
  ['a longest edge', { size: { shortest_edge: 42, longest_edge: 60 } }, 'size.longest_edge'],
  ['a square size', { use_square_size: true }, 'use_square_size'],
  ['a field nobody knows', { made_up: 1 }, 'made_up'],
])('parity/processor-type-ignored: %s is refused by its name', async (_, change, field) => {
  const directory = await written({ base: 'llava', change }, await temporaryFolder());
  const file = path.join(directory, 'preprocessor_config.json');
  await expect(readPreprocessorConfig(directory)).rejects.toMatchObject({ name: 'InputError', file, field });
});
