/** A config in any folder names shipped files by their paths in the project, as the demo's does in an installed package. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectFile } from '../../src/core/files.ts';
import { generationPromptFile } from '../../src/round/prompt-file.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function inFolder(): Promise<string> {
  const folder = await temporaryFolder();
  const before = process.cwd();
  process.chdir(folder);
  onTestFinished(() => process.chdir(before));
  return folder;
}

test('they are the project’s where the config’s folder has none of that name', async () => {
  await inFolder();
  const config = await loadConfig(projectFile('configs/demo-quick.yaml'));
  expect(config.model.path).toBe(projectFile('data/stage1'));
  expect(config.finetune.round0Adapter).toBe(projectFile('data/demo-round-0'));
  expect(generationPromptFile(config)).toMatch(projectFile('configs/prompts/'));
  expect(config.teacher.prices).toBe(projectFile('configs/prices.yaml'));
  // What a run writes is where the config says, wherever the command is typed.
  const places = ['runs', '.cache/scenes', '.cache'].map(projectFile);
  expect([config.runsDirectory, config.data.root, config.cacheDirectory]).toEqual(places);
});

test('and those of the config’s folder where it has them', async () => {
  const folder = await inFolder();
  await mkdir(join(folder, 'of/data/stage1'), { recursive: true });
  await writeFile(
    join(folder, 'of/own.yaml'),
    `extends: ${projectFile('configs/demo.yaml')}\nmodel: { path: data/stage1 }\nteacher: { prompt: prompts/mine.md }\n`,
  );
  const config = await loadConfig('of/own.yaml');
  expect(config.model.path).toBe(join(folder, 'of/data/stage1'));
  // What is nowhere is missed where the config has it.
  expect(config.teacher.prompt).toBe(join(folder, 'of/prompts/mine.md'));
});

test('each path starts in the folder of the file that has it, a default in that of the config; only an option starts here', async () => {
  const folder = await inFolder();
  await mkdir(join(folder, 'base/models/m'), { recursive: true });
  await mkdir(join(folder, 'own'));
  await writeFile(
    join(folder, 'base/base.yaml'),
    'model: { path: models/m }\ndata: { root: ../photos, questionTypes: types.yaml }\ncacheDirectory: cache\n',
  );
  await writeFile(
    join(folder, 'own/own.yaml'),
    'extends: ../base/base.yaml\nteacher: { prices: prices.yaml, apiKeyFile: key }\ndata: { questionTypes: mine.yaml }\n',
  );
  const config = await loadConfig('own/own.yaml');
  const { model, data, teacher, runsDirectory, cacheDirectory } = config;
  const places = {
    'base/models/m': model.path,
    photos: data.root,
    'own/mine.yaml': data.questionTypes,
    'own/prices.yaml': teacher.prices,
    'own/key': teacher.apiKeyFile,
    'base/cache': cacheDirectory,
    'own/runs': runsDirectory,
  };
  expect(Object.values(places)).toEqual(Object.keys(places).map((place) => join(folder, place)));
  // The prompts that come with the program are a default.
  expect(config.verify.languageOnlyPrompt).toBe(projectFile('configs/prompts/verify-without-picture-v1.md'));
  // Paths in the data root start there.
  expect(data.images.train).toBe('COCO2017/train2017');
  expect((await loadConfig('own/own.yaml', { dataRoot: 'here' })).data.root).toBe(join(folder, 'here'));
});
