/**
 * Every field of PEFT's `adapter_config.json`, changed one at a time, against what PEFT then makes of the adapter
 * (`test/fixtures/make-adapter-fields-fixture.py`).
 */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../../../src/core/input-error.ts';
import { readJson } from '../../../src/core/read-json.ts';
import { readAdapter } from '../../../src/model/files/adapter.ts';
import { fieldsWithoutEffect } from '../../../src/model/files/adapter-config.ts';
import { copyWith } from '../../helpers/copy-with.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixtures = path.join(import.meta.dirname, '../../fixtures');
const outcomeSchema = z.object({
  change: z.record(z.string(), z.unknown()),
  error: z.string().optional(),
  other: z.boolean().optional(),
  scales: z.record(z.string(), z.number()).optional(),
});
const recorded = await readJson(
  path.join(fixtures, 'adapter-fields.json'),
  z.object({ fields: z.array(z.string()), outcomes: z.array(outcomeSchema) }),
);

async function readChanged(change: Record<string, unknown>) {
  const directory = path.join(await temporaryFolder(), 'adapter');
  const adapter = path.join(fixtures, 'tiny-llava-adapter');
  await copyWith(adapter, directory, 'adapter_config.json', (content) => ({ ...content, ...change }));
  return readAdapter(directory);
}

async function outcomeOf(change: Record<string, unknown>): Promise<'refused' | Map<string, number>> {
  try {
    const { tensors } = await readChanged(change);
    return new Map([...tensors].map(([module, { scaling }]) => [module, scaling]));
  } catch (error) {
    if (error instanceof InputError) return 'refused';
    throw error;
  }
}

/** PEFT takes them, and so may we one day: for now an adapter with one is to be merged by PEFT. */
const refusedThoughPeftTakesThem = [
  'bias',
  'init_lora_weights=lora_ga',
  'monteclora_config',
  'peft_type',
  'target_modules',
  'layers_to_transform',
  'exclude_modules',
  'use_qalora',
  'velora_config',
];

describe('adapter_config.json', () => {
  it('has each field of PEFT changed at least once', () => {
    const changed = recorded.outcomes.flatMap(({ change }) => Object.keys(change));
    expect(recorded.fields.filter((field) => !changed.includes(field))).toEqual([]);
  });

  it.each(recorded.outcomes.map((outcome) => [JSON.stringify(outcome.change), outcome] as const))(
    'with %s scales every module as PEFT does, or is refused',
    async (_, { change, scales }) => {
      const found = await outcomeOf(change);
      if (found === 'refused') {
        const names = Object.entries(change).flatMap(([field, value]) => [field, `${field}=${value}`]);
        if (scales) expect(names.filter((name) => refusedThoughPeftTakesThem.includes(name))).not.toEqual([]);
        return;
      }
      const plain = (await outcomeOf({})) as Map<string, number>;
      const growth = [...plain].map(([module, scaling]) => [module, (found.get(module) ?? 0) / scaling]);
      const wanted = Object.fromEntries(
        Object.entries(scales ?? {}).map(([module, scale]) => [module, expect.closeTo(scale, 3)]),
      );
      expect(Object.fromEntries(growth)).toEqual(wanted);
    },
  );

  it.each(recorded.outcomes.filter(({ change }) => Object.keys(change).every((field) => field in fieldsWithoutEffect)))(
    'is listed as without effect only where PEFT sees none: $change',
    ({ scales }) => {
      expect(new Set(Object.values(scales ?? {}))).toEqual(new Set([1]));
    },
  );

  it('is refused for a field that nobody knows, unless it is off', async () => {
    await expect(readChanged({ some_future_option: true })).rejects.toThrow(/some_future_option: is not supported/);
    await expect(readChanged({ some_future_config: {} })).rejects.toThrow(/some_future_config: is not supported/);
    await expect(readChanged({ some_future_option: null, another: false })).resolves.toBeDefined();
  });

  it.each(['pissa', 'pissa_niter_4', 'olora', 'corda', 'lora_ga', 'loftq'])(
    'is refused by name where its adapter changed the base model: %s',
    async (init) => {
      await expect(readChanged({ init_lora_weights: init })).rejects.toMatchObject({ field: 'init_lora_weights' });
    },
  );

  it('names the pattern that Python alone reads', async () => {
    await expect(readChanged({ target_modules: '(?i).*Q_PROJ\\Z' })).rejects.toThrow(
      /target_modules: '\(\?i\).*no regular/,
    );
    await expect(readChanged({ alpha_pattern: { '(': 2 } })).rejects.toMatchObject({ field: 'alpha_pattern' });
    await expect(readChanged({ target_modules: '(?P<layer>.*)_proj' })).resolves.toBeDefined();
  });

  it('names the pattern that may take forever over the path of a module', async () => {
    const pattern = '([a-z_.0-9]+)+!';
    for (const change of [
      { target_modules: pattern },
      { exclude_modules: pattern },
      { rank_pattern: { [pattern]: 2 } },
    ]) {
      const [field] = Object.keys(change);
      await expect(readChanged(change)).rejects.toMatchObject({
        field,
        problem: expect.stringContaining('may take forever'),
      });
    }
  });
});
