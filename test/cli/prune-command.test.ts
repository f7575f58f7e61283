/** `dataengine prune` and `dataengine track`, typed as the pages have them. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { fileExists } from '../../src/core/files.ts';
import { thisProcess } from '../../src/round/owner/owner.ts';
import { openOwnerPlace } from '../../src/round/owner/owner-place.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { temporaryFolder, temporaryFolderOfFile } from '../helpers/temporary-folder.ts';
import { playRun } from '../round/retention/finished-run.ts';
import { printedBy } from './in-this-process.ts';

let played: StepContext;
const folderOfRun = await temporaryFolderOfFile();
beforeAll(async () => {
  played = await playRun(folderOfRun);
});

/** A folder with the run as `runs/nightly`, in which commands are typed. */
async function folderWithRun(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(played.run.root, join(folder, 'runs', 'nightly'), { recursive: true });
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
  return folder;
}

const model = (folder: string, round: number) =>
  join(folder, 'runs', 'nightly', `round-${round}`, 'merged', 'model.safetensors');

test('a dry run names what would go and what stays, with sizes; without it they are gone', async () => {
  const folder = await folderWithRun();
  const run = join(folder, 'runs', 'nightly');
  const dry = await printedBy('prune', run, '--dry-run');
  expect(dry).toMatch(/^nightly: 3 rounds\n/);
  expect(dry).toMatch(/round \d keeps its model: .*the last good one/);
  expect(dry).toMatch(/merged models that are made again when they are needed +│ +1 +│ +0\.1 kB/);
  expect(dry).toMatch(/checkpoints and parts of finished steps +│ +12 +│/);
  expect(dry).toMatch(/\d+\.\d kB would be removed\. Without --dry-run they are\.\n$/);
  expect(await fileExists(model(folder, 0))).toBe(true);
  expect(await printedBy('prune', run)).toMatch(/kB removed\.\n$/);
  expect(await fileExists(model(folder, 0))).toBe(false);
  expect(await printedBy('prune', run)).toMatch(/Nothing to remove\.\n$/);
});

test('a config prunes its run by its own section, and JSON has the same', async () => {
  const folder = await folderWithRun();
  const { retention: _, ...config } = JSON.parse(await readFile(join(played.run.root, 'config.json'), 'utf8'));
  const file = join(folder, 'nightly.yaml');
  const changed = { ...config, run: undefined, runsDirectory: join(folder, 'runs'), retention: { lastRounds: 3 } };
  await writeFile(file, stringify(JSON.parse(JSON.stringify(changed))));
  const outcome = JSON.parse(await printedBy('prune', file, '--dry-run', '--json'));
  expect(outcome.kept).toHaveLength(3);
  expect(outcome.removed.map(({ kind }: { kind: string }) => kind)).toEqual(['resume']);
});

test('beside a step by hand it says whose work it is, and leaves the newest round whole', async () => {
  const folder = await folderWithRun();
  const run = join(folder, 'runs', 'nightly');
  await (await openOwnerPlace(run, { access: undefined }))?.claim(1, await thisProcess('finetune'));
  const printed = await printedBy('prune', run);
  expect(printed).toMatch(/`dataengine finetune` \(process \d+ on .*\) works on it, or can't be asked/);
  expect(printed).toMatch(/round 2 keeps its model: .*its owner is at work/);
  expect(await fileExists(join(run, 'round-2', 'finetune', 'checkpoints'))).toBe(true);
  expect(await fileExists(join(run, 'round-0', 'finetune', 'checkpoints'))).toBe(false);
});

test('what is no run is refused, and nothing is made of it', async () => {
  const folder = await temporaryFolder();
  await expect(printedBy('prune', folder)).rejects.toThrow(/config\.json/);
  await expect(printedBy('prune', join(folder, 'nothing.yaml'))).rejects.toThrow(/nothing\.yaml/);
});

test('figures are sent to the tracker of the config, once; without one the error says where it goes', async () => {
  const folder = await folderWithRun();
  const run = join(folder, 'runs', 'nightly');
  await expect(printedBy('track', run)).rejects.toThrow(/tracking: is missing, so there is no tracker/);
  const file = join(run, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...config, tracking: { to: 'wandb', project: 'loops' } }));
  expect(await printedBy('track', run)).toBe(`${join(run, 'tracking')}: rounds 0, 1, 2\n`);
  expect(await printedBy('track', run)).toBe(`${join(run, 'tracking')}: nothing new\n`);
});
