/** What `npm pack` makes of this project: what an installed package needs is in it, and nothing that npm would run. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { addonLock, addonPackage, lockOf } from '../../scripts/setup/packages.mjs';

const run = promisify(execFile);
let packed: string[];
const manifest = JSON.parse(await readFile('package.json', 'utf8'));

beforeAll(async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { maxBuffer: 1e8 });
  packed = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
});

test('it has every file that is imported, exported or started by its path', async () => {
  const has = new Set(packed);
  const missing: string[] = [];
  for (const file of packed.filter((name) => /\.(ts|mjs|cjs)$/.test(name) && !name.startsWith('examples/'))) {
    const text = await readFile(file, 'utf8');
    for (const [, path] of text.matchAll(/(?:from|import|import\()\s*'(\.{1,2}\/[^']+)'/g)) {
      const target = normalize(join(dirname(file), path as string));
      if (!has.has(target)) missing.push(`${file}: ${target}`);
    }
  }
  for (const path of [...Object.values<string>(manifest.exports), ...Object.values<string>(manifest.bin)]) {
    if (!has.has(normalize(path))) missing.push(path);
  }
  expect(missing).toEqual([]);
  for (const folder of ['data/stage1', 'data/demo-round-0']) expect(packed).toContain(`${folder}/${weightsIn(folder)}`);
  expect(packed).toEqual(expect.arrayContaining([addonLock, 'configs/demo-quick.yaml', 'CITATION.cff', 'LICENSE']));
  expect(packed.filter((name) => /^(test|bench|\.ci|runs|build|\.cache|node_modules)\//.test(name))).toEqual([]);
});

const weightsIn = (folder: string) => (folder.endsWith('stage1') ? 'model.safetensors' : 'adapter_model.safetensors');

test("TensorFlow's addon, whose install script downloads a library, is no dependency: the set-up installs it by this lock", async () => {
  const { dependencies, optionalDependencies = {}, peerDependencies = {}, scripts, devDependencies } = manifest;
  for (const group of [dependencies, optionalDependencies, peerDependencies])
    expect(group).not.toHaveProperty([addonPackage]);
  expect(Object.keys(scripts).filter((name) => /install|prepare|prepack/.test(name))).toEqual([]);
  const lock = JSON.parse(await readFile('package-lock.json', 'utf8'));
  const own = JSON.parse(await readFile(addonLock, 'utf8'));
  expect(own, 'npm run schema writes it').toEqual(lockOf(addonPackage, lock));
  expect(own.packages[''].dependencies).toEqual({ [addonPackage]: devDependencies[addonPackage] });
  // Each by hash, at the version that the project is tested with.
  const entries = Object.entries<{ version: string; integrity: string; dependencies?: object }>(own.packages).slice(1);
  expect(entries.length).toBeGreaterThan(50);
  for (const [path, { version, integrity, dependencies: needed = {} }] of entries) {
    expect(lock.packages[path]).toMatchObject({ version, integrity });
    expect(integrity, path).toMatch(/^sha512-/);
    for (const name of Object.keys(needed)) {
      expect(
        Object.keys(own.packages).some((one) => one.endsWith(`node_modules/${name}`)),
        `${path}: ${name}`,
      ).toBe(true);
    }
  }
  const scripted = entries.filter(([path]) => lock.packages[path].hasInstallScript).map(([path]) => path);
  expect(scripted).toContain(`node_modules/${addonPackage}`);
});

test('of the packages that npm installs with it, none needs its install script to work', async () => {
  const lock = JSON.parse(await readFile('package-lock.json', 'utf8'));
  const scripted = Object.entries<{ hasInstallScript?: boolean; dev?: boolean; devOptional?: boolean }>(lock.packages)
    .filter(([, entry]) => entry.hasInstallScript && !entry.dev && !entry.devOptional)
    .map(([path]) => path.split('node_modules/').at(-1));
  // Each checks the binary that a package of its own brought (esbuild), or prints a line (protobufjs).
  expect(scripted.filter((name) => !['esbuild', 'protobufjs', '@swc/core', 'fsevents'].includes(name ?? ''))).toEqual(
    [],
  );
});

test('CITATION.cff says what is cited, at the version of the package', async () => {
  const {
    'cff-version': format,
    title,
    authors,
    version,
    license,
    'preferred-citation': paper,
  } = parse(await readFile('CITATION.cff', 'utf8'));
  expect([format, version, license]).toEqual(['1.2.0', manifest.version, manifest.license]);
  expect(title).toBe('MLLM-DataEngine in TypeScript');
  expect(authors.length).toBeGreaterThan(0);
  expect(paper).toMatchObject({ url: 'https://arxiv.org/abs/2308.13566', year: 2023 });
  expect(paper.authors).toHaveLength(8);
});
