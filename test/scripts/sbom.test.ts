/** `npm run sbom`, which checks what it writes against CycloneDX's schema, with npm itself. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { projectFile } from '../../src/core/files.ts';

const component = z.looseObject({
  name: z.string(),
  version: z.string(),
  'bom-ref': z.string(),
  purl: z.string(),
  hashes: z.array(z.object({ alg: z.string(), content: z.string() })).default([]),
  properties: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
});
const bill = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.5'),
  metadata: z.looseObject({ component: z.looseObject({ name: z.string(), 'bom-ref': z.string() }) }),
  components: z.array(component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).default([]) })),
});

let folder: string;
const billOf = async (name: string) => bill.parse(JSON.parse(await readFile(join(folder, `${name}.cdx.json`), 'utf8')));
const named = ({ name, version }: { name: string; version: string }) => `${name}@${version}`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dataengine-sbom-'));
  await promisify(execFile)(process.execPath, [projectFile('scripts/sbom.mjs'), folder]);
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test('there is a bill of npm’s packages, and one of each Python environment', async () => {
  expect((await readdir(folder)).sort()).toEqual(
    ['deepspeed', 'npm', 'python', 'torch'].map((name) => `${name}.cdx.json`),
  );
});

test('npm’s has the project, each direct dependency at its version, and what is for development only', async () => {
  const { components, dependencies, metadata } = await billOf('npm');
  const { name, version, dependencies: shipped, devDependencies } = JSON.parse(await readFile('package.json', 'utf8'));
  expect(metadata.component).toMatchObject({ name, version });
  const direct = Object.entries<string>({ ...shipped, ...devDependencies }).map(([one, its]) => `${one}@${its}`);
  expect(components.map(named)).toEqual(expect.arrayContaining(direct));
  const own = dependencies.find(({ ref }) => ref === metadata.component['bom-ref']);
  expect(own?.dependsOn.sort()).toEqual(direct.sort());
  const isDevelopment = (wanted: string) =>
    components.find((one) => one.name === wanted)?.properties.some((one) => one.name === 'cdx:npm:package:development');
  expect([isDevelopment('vitest'), isDevelopment('zod')]).toEqual([true, false]);
});

test('npm’s has every package of package-lock.json, with its hash', async () => {
  const { components } = await billOf('npm');
  const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8'));
  const locked = Object.entries<{ version: string; integrity: string; name?: string }>(packages).filter(
    ([path]) => path !== '',
  );
  const listed = new Map(components.map((one) => [named(one), one]));
  for (const [path, { name = path.replace(/^.*node_modules\//, ''), version, integrity }] of locked) {
    const [algorithm, base64 = ''] = integrity.split('-');
    expect(listed.get(`${name}@${version}`)?.hashes, path).toContainEqual({
      alg: algorithm === 'sha512' ? 'SHA-512' : 'SHA-1',
      content: Buffer.from(base64, 'base64').toString('hex'),
    });
  }
});

describe('those of Python', () => {
  test.each([
    ['python', ['scripts/setup/requirements.lock.txt']],
    ['torch', ['src/trainer/torch/requirements.lock.txt']],
    ['deepspeed', ['src/trainer/torch/requirements-deepspeed.lock.txt']],
  ] as const)('%s: have every pinned package', async (name, files) => {
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    const purls = [...texts.join('\n').matchAll(/^([\w.-]+)==([^\s;]+)/gm)].map(
      ([, pinned, version]) => `pkg:pypi/${pinned?.toLowerCase().replaceAll(/[-_.]+/g, '-')}@${version}`,
    );
    expect(purls.length).toBeGreaterThan(5);
    expect((await billOf(name)).components.map(({ purl }) => purl).sort()).toEqual([...new Set(purls)].sort());
  });
});
