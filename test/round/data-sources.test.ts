import { expect, it, vi } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { prepareDataSources } from '../../src/round/data-sources.ts';
import type { DataSource, Extensions } from '../../src/round/extensions.ts';

const asked = { seed: 1, trainImages: 4, validationImages: 2, testImages: 2 };

function contextOf(data: object, dataSources: Extensions['dataSources']) {
  return {
    config: configSchema.parse({
      model: { path: 'model' },
      data: { root: 'data', train: [{ dataset: 'aokvqa' }], ...data },
    }),
    extensions: { dataSources, teacherProviders: {} },
    signal: new AbortController().signal,
    onProgress: vi.fn(),
  };
}

it('has the data source make what the config asks for, and reports its progress', async () => {
  const prepare: DataSource['prepare'] = async ({ config, onProgress }) => {
    expect(config).toBe(context.config);
    onProgress(3, 4);
  };
  const context = contextOf({ scenes: asked }, { scenes: { prepare } });
  await prepareDataSources(context);
  expect(context.onProgress.mock.calls).toEqual([[{ phase: 'render', step: 3, steps: 4 }]]);
});

it('makes nothing that the config does not name', async () => {
  const prepare = vi.fn(async () => undefined);
  await prepareDataSources(contextOf({}, { scenes: { prepare } }));
  expect(prepare).not.toHaveBeenCalled();
});

it('refuses a config that asks for a source which the program does not have', async () => {
  await expect(prepareDataSources(contextOf({ scenes: asked }, {}))).rejects.toThrow(/data\.scenes: .*no data source/);
});
