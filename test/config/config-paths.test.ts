/** The schema says of each path of a config where it may lead. */
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { mapPaths, pathsIn, textKeys } from '../../src/config/config-paths.ts';
import { configSchema } from '../../src/config/schema.ts';

/** Texts that lead to no file of this machine. Look at each before it is added here. */
const notPaths = [
  'run', // openRunDirectory checks it
  'store', // a bucket; requireStoreAccess checks it
  'model.hubId', // its schema allows owner/name only
  'data.train[].columns{}', // of a table
  'data.train[].instruction',
  'data.captionPrompts[]',
  'data.validation.questions.instruction',
  'data.validation.questions.columns{}', // of a table
  'data.test.questions.instruction',
  'data.test.questions.columns{}', // of a table
  'finetune.lora.targetModules|[]',
  'finetune.lora.targetModules|.language[]',
  'finetune.lora.targetModules|.vision[]',
  'finetune.lora.targetModules|.projector[]',
  'finetune.validationLoss.dataset.columns{}', // of a table
  'finetune.validationLoss.dataset.instruction',
  'evaluate.serve', // a key of the worker's settings
  'evaluate.benchmarks[].name', // its schema allows no slash
  'evaluate.benchmarks[].questions.instruction',
  'evaluate.benchmarks[].questions.columns{}', // of a table
  'teacher.provider',
  'teacher.baseUrl', // requireTeacherAccess checks it
  'teacher.serve', // a key of the worker's settings
  'teacher.apiVersion',
  'teacher.model',
  'teacher.apiKeyVariable', // mayReceiveSecret checks it
  'teacher.stop[]',
  'temporal.taskQueues.cpu',
  'temporal.taskQueues.gpu',
  'temporal.taskQueues.teacher',
  'notify.webhookVariable', // requireWebhookAccess checks it
  'tracking.baseUrl', // mayReceiveSecret and requireTeacherAccess check it
  'tracking.project', // its schema allows no slash
  'tracking.apiKeyVariable', // mayReceiveSecret checks it
];

test('every text of a config is a path with a place, or was looked at', () => {
  const keys = textKeys(configSchema);
  expect(keys.filter(({ kind }) => kind === undefined).map(({ key }) => key)).toEqual(notPaths);
  const paths = keys.filter(({ kind }) => kind !== undefined).map(({ key }) => key);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((key) => !/^[\w.[\]]+$/.test(key))).toEqual([]);
});

const config = configSchema.parse({
  model: { path: 'models/a' },
  data: { root: 'data', train: [{ dataset: 'aokvqa', images: 'COCO2017/train2017' }] },
  evaluate: { benchmarks: [{ benchmark: 'mmbench', file: 'MMBench/a.tsv' }] },
  sampling: { embeddings: { model: 'models/clip' } },
});

test('the paths of a config are found and changed by the schema, and nothing else', () => {
  const found = pathsIn(configSchema, config).map(({ keys, kind, path }) => [keys.join('.'), kind, path]);
  expect(found).toContainEqual(['model.path', 'models', 'models/a']);
  expect(found).toContainEqual(['data.train.0.images', 'the data root', 'COCO2017/train2017']);
  expect(found).toContainEqual(['evaluate.benchmarks.0.file', 'the data root', 'MMBench/a.tsv']);
  expect(found).toContainEqual([
    'verify.languageOnlyPrompt',
    'configs',
    'configs/prompts/verify-without-picture-v1.md',
  ]);
  expect(mapPaths(configSchema, config, ({ path }) => path)).toEqual(config);
  const absolute = mapPaths(configSchema, config, ({ path }) => resolve(path));
  expect(absolute.sampling.embeddings?.model).toBe(resolve('models/clip'));
  expect(absolute.teacher.model).toBe(config.teacher.model);
});

test.each([
  ['data.train[0].file', { train: [{ dataset: 'aokvqa', file: '../../etc/passwd' }] }],
  ['data.train[0].images', { train: [{ dataset: 'aokvqa', images: '/etc' }] }],
  ['data.validation.file', { validation: { file: 'a/../../b.json' } }],
  ['data.test.file', { test: { file: '/etc/passwd' } }],
  ['data.images.train', { images: { train: '..' } }],
  ['data.images.test', { images: { test: 'C:\\images' } }],
  ['data.annotations.instances', { annotations: { instances: '..\\a.json' } }],
  ['data.annotations.captions', { annotations: { captions: 'a\0b' } }],
])('%s stays in the data root', (field, data) => {
  const result = configSchema.safeParse({ model: { path: 'm' }, data: { root: 'data', ...data } });
  expect(result.error?.issues[0]?.message).toBe('leads out of its folder');
  expect(field.replaceAll(/\[(\d+)\]/g, '.$1')).toBe(result.error?.issues[0]?.path.join('.'));
});

test('the files of benchmarks stay in the data root', () => {
  for (const change of [{ file: '../../a.tsv' }, { file: 'a.tsv', images: '/root' }]) {
    const benchmarks = [{ benchmark: 'mmbench', ...change }];
    const result = configSchema.safeParse({ model: { path: 'm' }, data: { root: 'd' }, evaluate: { benchmarks } });
    expect(result.error?.issues[0]?.message).toBe('leads out of its folder');
  }
});
