/** The lists of fields in the pages: `npm run schema` writes them, and the readers of the files hold to them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeJson } from '../../src/core/write-file.ts';
import { readAokvqa } from '../../src/datasets/aokvqa.ts';
import { readCcSbuAlign } from '../../src/datasets/cc-sbu-align.ts';
import { gptvqa, readEngineData } from '../../src/datasets/engine-data.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { withFieldTables } from '../../src/round/describe-formats.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { readPages } from './pages.ts';

const pages = await readPages();

test('are up to date', () => {
  let marked = 0;
  for (const [name, page] of pages) {
    marked += page.match(/<!-- (?:fields-[\w-]+|input-fields):begin -->/g)?.length ?? 0;
    expect(withFieldTables(page), name).toBe(page);
  }
  expect(marked).toBe(11);
});

/** Field → whether the list says that it is required. */
function listedFields(format: string): Map<string, boolean> {
  const [, list = ''] = (pages.get('docs/formats.md') ?? '').split(`<!-- fields-${format}:begin -->`);
  const rows = list.split('<!--')[0]?.matchAll(/^\| `(?:annotations\[\]\.)?(\w+)` \| [^|]+ \| (yes|no)/gm) ?? [];
  return new Map(Array.from(rows, ([, field, required]) => [field as string, required === 'yes']));
}

const fixture = (name: string) => new URL(`../fixtures/fidelity/${name}`, import.meta.url).pathname;
const records = async (name: string): Promise<object[]> => JSON.parse(await readFile(fixture(name), 'utf8'));

async function readTrainingData(path: string): Promise<unknown[]> {
  const list = [];
  for await (const record of gptvqa.read({ name: 'base', path, images: imageFolder('/images') })) list.push(record);
  return list;
}

async function readCaptions(file: string): Promise<unknown[]> {
  const annotations = JSON.parse(await readFile(file, 'utf8'));
  await writeJson(join(file, '..', 'filter_cap.json'), { annotations });
  return readCcSbuAlign(join(file, '..'));
}

describe.each([
  ['question', readAokvqa, 'aokvqa_val_correct_choice_twice.json', { question_type: 'image_scene' }],
  ['training-question', readTrainingData, 'engine_3_choices.json', {}],
  // With choices: what only short answers have is absent, and the right choice is needed.
  ['engine-sample', readEngineData, 'engine_3_choices.json', {}, ['direct_answers', 'instruction']],
  ['filter-cap', readCaptions, undefined, { image_id: '2', caption: 'A view.' }],
])('the fields of %s', (format, read: (file: string) => Promise<unknown[]>, name, others, absent: string[] = []) => {
  const fields = listedFields(format);
  for (const field of absent) fields.delete(field);
  if (absent.length > 0) fields.set('correct_choice_idx', true);
  const whole = async () => (name ? (await records(name)).map((record) => ({ ...record, ...others })) : [others]);

  test('are there', async () => {
    expect(fields.size).toBeGreaterThan(1);
    for (const record of await whole()) expect(Object.keys(record)).toEqual(expect.arrayContaining([...fields.keys()]));
  });

  test.each([...fields])('without %s (required: %s)', async (field, required) => {
    const [first, ...rest] = await whole();
    const without = [{ ...first, [field]: undefined }, ...rest];
    const file = join(await temporaryFolder(), 'data.json');
    await writeJson(file, without);
    if (required) await expect(read(file)).rejects.toThrow(`[0].${field}: is missing`);
    else expect(await read(file)).toHaveLength(without.length);
  });
});
