/**
 * The package that `npm pack` makes, installed by npm 10 and 11 into an empty folder from the registry alone: `doctor` works
 * before and after the set-up, and the quick demo runs and gains. Minutes each: the first set-up downloads TensorFlow and compiles
 * its addon, as a newcomer's does; the second takes the library and the addon of this checkout.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runningWith } from '../../bench/support/processes.ts';
import { addonLock, hashOf, stampFile, writeProject } from '../../scripts/setup/packages.mjs';
import { projectFile } from '../../src/core/files.ts';

const folders: string[] = [];
let tarball: string;

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dataengine-package-'));
  folders.push(folder);
  return folder;
}

/** Types a line in the folder, in an environment without what npm tells its scripts. */
function typed(
  cwd: string,
  line: string,
  variables: Record<string, string> = {},
): Promise<{ code: number; shown: string }> {
  const kept = Object.entries(process.env).filter(([name]) => !/^npm_|^DATAENGINE_/i.test(name));
  const env = { ...Object.fromEntries(kept), NO_COLOR: '1', ...variables };
  const child = spawn('bash', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let shown = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (shown += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, shown }));
  });
}

beforeAll(async () => {
  const folder = await emptyFolder();
  const { code, shown } = await typed(projectFile(''), `npm pack --pack-destination ${folder}`);
  expect(code, shown).toBe(0);
  const names = await readdir(folder);
  expect(names).toEqual([expect.stringMatching(/^mllm-dataengine-.*\.tgz$/)]);
  tarball = join(folder, names[0] as string);
});

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** Installs the package as a newcomer would. */
async function installWith(npm: '10' | '11'): Promise<string> {
  const folder = await emptyFolder();
  await cp(tarball, join(folder, basename(tarball)));
  const { code, shown } = await typed(folder, `npx --yes npm@${npm} install ${basename(tarball)}`);
  expect(code, shown).toBe(0);
  expect(existsSync(join(folder, 'node_modules/@tensorflow')), "npm must not run TensorFlow's install script").toBe(
    false,
  );
  return folder;
}

/** The addon as this checkout has compiled it, and what it needs: where the set-up of the package would install them. */
async function takeAddon(folder: string): Promise<void> {
  const project = join(folder, 'node_modules/mllm-dataengine/.cache/npm');
  const lock = await readFile(projectFile(addonLock), 'utf8');
  writeProject(project, lock);
  for (const path of Object.keys(JSON.parse(lock).packages).filter((name) => name !== '')) {
    const installed = projectFile(path);
    if (existsSync(installed)) await cp(installed, join(project, path), { recursive: true, verbatimSymlinks: true });
  }
  await writeFile(stampFile(project), hashOf(lock));
}

const scoresOf = (folder: string, run: string): { multipleChoice: number; testMultipleChoice: number }[] =>
  JSON.parse(readFileSync(join(folder, 'runs', run, 'finished.json'), 'utf8')).rounds;

test('npm 10: doctor says what is missing, the demo sets up and gains, doctor then finds everything', async () => {
  const folder = await installWith('10');
  const before = await typed(folder, 'npx dataengine doctor');
  expect(before).toMatchObject({ code: 0, shown: expect.stringMatching(/^ok +Node/m) });
  expect(before.shown).toMatch(/^-- +TensorFlow/m);

  const demo = await typed(folder, 'npx dataengine demo --quick');
  expect(demo.code, demo.shown).toBe(0);
  expect(demo.shown).toContain('✓ TensorFlow addon');
  const [first, second] = scoresOf(folder, 'demo-quick-seed1');
  expect(first).toMatchObject({ multipleChoice: expect.closeTo(64.03, 2), testMultipleChoice: expect.closeTo(61, 2) });
  expect((second?.testMultipleChoice ?? 0) - (first?.testMultipleChoice ?? 0)).toBeGreaterThan(0);

  const after = await typed(folder, 'npx dataengine doctor');
  expect(after.code, after.shown).toBe(0);
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);
}, 2_400_000);

test('npm 11: the same, with a shorter round, and a script that imports the libraries', async () => {
  const folder = await installWith('11');
  const short = {
    extends: 'node_modules/mllm-dataengine/configs/demo-quick.yaml',
    data: { scenes: { seed: 1, trainImages: 60, validationImages: 24, testImages: 24 } },
    finetune: { stepsPerEpoch: 4, learningRate: { warmupSteps: 1 } },
    sampling: { requests: 20 },
  };
  await writeFile(join(folder, 'short.yaml'), stringify(short));
  const tensorflow = { DATAENGINE_TENSORFLOW: projectFile('.cache/tensorflow') };
  await takeAddon(folder);
  const demo = await typed(folder, 'npx dataengine demo --config short.yaml', tensorflow);
  expect(demo.code, demo.shown).toBe(0);
  expect(scoresOf(folder, 'demo-seed1')).toHaveLength(2);

  const example = 'node_modules/mllm-dataengine/examples/direct-answers.ts';
  const validation = '.cache/scenes/A-OKVQA/aokvqa_v1p0_val.json .cache/scenes/COCO2017/val2017';
  const script = `node --import tsx ${example} runs/demo-seed1/round-1/merged ${validation} 3`;
  const answered = await typed(folder, script, tensorflow);
  expect(answered.shown).toMatch(/\d+\.\d % of 3 questions\n$/);
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);
}, 1_800_000);
