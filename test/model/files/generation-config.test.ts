/**
 * Every field of `generation_config.json`, one changed at a time: what `generate` of `transformers` writes greedily, or an
 * error that names the field. `test/fixtures/make-generation-fields-fixture.py` recorded what `transformers` writes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { readEndTokens, withoutEffectOnText } from '../../../src/model/files/generation-config.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixtures = path.join(import.meta.dirname, '../../fixtures');
interface Run {
  change?: Record<string, unknown>;
  config?: Record<string, unknown>;
  tokenIds?: number[];
  refusal?: string;
}
const json = async (file: string) => JSON.parse(await readFile(path.join(fixtures, file), 'utf8'));
const { runs } = (await json('generation-fields.json')) as { runs: Run[] };
const [{ tokenIds: unchanged = [] }, ...changes] = runs as [Run, ...Run[]];

/** The ids that end an answer of a model with this change. */
async function endsOf({ change, config }: Run): Promise<number[]> {
  const directory = await temporaryFolder();
  const content = await json('tiny-llava/config.json');
  Object.assign(content.text_config, config);
  await writeFile(path.join(directory, 'config.json'), JSON.stringify(content));
  if (change) {
    const generation = { ...(await json('tiny-llava/generation_config.json')), ...change };
    await writeFile(path.join(directory, 'generation_config.json'), JSON.stringify(generation));
  }
  return (await readEndTokens(directory)) ?? [content.text_config.eos_token_id].flat();
}

test.each(changes)('is followed as transformers does, or the field is named: $change $config', async (run) => {
  try {
    const ends = await endsOf(run);
    const end = unchanged.findIndex((id) => ends.includes(id));
    if (run.refusal === undefined) {
      expect(end < 0 ? unchanged : unchanged.slice(0, end + 1)).toEqual(run.tokenIds ?? unchanged);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.message).toMatch(/generation_config\.json|config\.json/);
    expect(error.field).toBe(Object.keys(run.change ?? run.config ?? {})[0]);
  }
});

test('lists of end tokens are followed', async () => {
  expect(await endsOf({ change: { eos_token_id: [38, 55] } })).toEqual([38, 55]);
  expect(await endsOf({ change: { eos_token_id: 35 } })).toEqual([35]);
});

test('the fields that are said to change nothing change nothing in transformers', () => {
  for (const field of withoutEffectOnText) {
    const tried = changes.filter(({ change }) => Object.keys(change ?? {}).join() === field);
    expect(tried.length, `${field} is not in the fixture`).toBeGreaterThan(0);
    for (const { tokenIds, refusal } of tried) expect([tokenIds, refusal], field).toEqual([undefined, undefined]);
  }
});
