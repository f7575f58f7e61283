/** The table of docs/endpoints.md says what vLLM's registry has, for every family that can be trained. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readModelConfig } from '../../src/model/files/model-config.ts';

const fixtureSchema = z.object({
  vllm: z.string(),
  families: z.record(
    z.string(),
    z.object({
      architecture: z.string(),
      model: z.tuple([z.string(), z.string()]).nullable(),
      adapters: z.boolean().nullable(),
      until: z.string().nullable(),
      transformers_backend: z.boolean(),
    }),
  ),
});

const { vllm, families } = fixtureSchema.parse(JSON.parse(await readFile('test/fixtures/vllm/models.json', 'utf8')));
const page = await readFile('docs/endpoints.md', 'utf8');
const rows = [...page.matchAll(/^\| ([^|]+) \| `(\w+)` \| (.+) \| (yes|not said|–) \|$/gm)];

test('every family that can be trained has a row', async () => {
  const processors = await readFile('src/trainer/torch/processors.py', 'utf8');
  const [, checked = ''] = /^CHECKED = \{([^}]*)\}/m.exec(processors) ?? [];
  const names = [...checked.matchAll(/"([^"]+)"/g)].map(([, name]) => name);
  expect(Object.keys(families).sort()).toEqual(names.sort());
  expect(rows).toHaveLength(names.length);
});

test('each row is what the registry says', () => {
  expect(page).toContain(`the registry of vLLM ${vllm}`);
  for (const { architecture, model, adapters, until, transformers_backend } of Object.values(families)) {
    const row = rows.find(([, , named]) => named === architecture);
    const [, , , shown = '', takes] = row ?? [];
    expect(shown, architecture).toContain(model === null ? 'none' : `\`${model[1]}\``);
    expect(takes, architecture).toBe(model === null ? '–' : adapters ? 'yes' : 'not said');
    expect(shown.includes('Transformers backend'), architecture).toBe(model === null && transformers_backend);
    if (until !== null) expect(shown).toContain(`none since ${until}`);
  }
});

test.each([
  ['tiny-blip2', 'blip-2'],
  ['tiny-llava', 'llava'],
])('the architecture of %s is that of its row', async (folder, family) => {
  await readModelConfig(`test/fixtures/${folder}`);
  const { architectures } = JSON.parse(await readFile(`test/fixtures/${folder}/config.json`, 'utf8'));
  expect(architectures).toEqual([families[family]?.architecture]);
});
