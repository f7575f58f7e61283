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

test('they are the project’s where the working folder has none of that name', async () => {
  await inFolder();
  const config = await loadConfig(projectFile('configs/demo-quick.yaml'));
  expect(config.model.path).toBe(projectFile('data/stage1'));
  expect(config.finetune.round0Adapter).toBe(projectFile('data/demo-round-0'));
  expect(generationPromptFile(config)).toMatch(projectFile('configs/prompts/'));
  expect(config.teacher.prices).toBe(projectFile('configs/prices.yaml'));
  // What a run writes is in the working folder.
  expect([config.runsDirectory, config.data.root, config.cacheDirectory]).toEqual(['runs', '.cache/scenes', '.cache']);
});

test('and the working folder’s where it has them; what neither has stays as it is', async () => {
  const folder = await inFolder();
  await mkdir(join(folder, 'data/stage1'), { recursive: true });
  await writeFile(
    join(folder, 'own.yaml'),
    `extends: ${projectFile('configs/demo.yaml')}\nteacher: { prompt: prompts/mine.md }\n`,
  );
  const config = await loadConfig('own.yaml');
  expect(config.model.path).toBe('data/stage1');
  expect(config.teacher.prompt).toBe('prompts/mine.md');
});
