/**
 * The rules about imports, on a small tree that keeps and breaks them: docs/architecture.md says why they are there.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';

type Import = readonly [from: string, to: string];

const allowed: Import[] = [
  ['src/core/remote/fine.ts', 'src/core/fine.ts'],
  ['src/config/fine.ts', 'src/evaluation/benchmarks/index.ts'],
  ['src/model/fine.ts', 'src/core/fine.ts'],
  ['src/generation/fine.ts', 'src/teacher/fine.ts'],
  ['src/evaluation/fine.ts', 'src/trainer/protocol.ts'],
  ['src/round/steps.ts', 'src/config/fine.ts'],
  ['demo/scenes/fine.ts', 'src/core/fine.ts'],
  ['demo/command/fine.ts', 'cli/fine.ts'],
  ['workflows/fine.ts', 'src/round/steps.ts'],
  ['workers/fine.ts', 'activities/fine.ts'],
  ['workers/extensions.ts', 'demo/scenes/fine.ts'],
  ['cli/main.ts', 'demo/command/fine.ts'],
  ['cli/fine.ts', 'node_modules/@temporalio/client/index.js'],
  ['bench/fine.ts', 'cli/fine.ts'],
  ['test/fine.ts', 'bench/fine.ts'],
];

const forbidden: [rule: string, ...Import][] = [
  ['core-stands-alone', 'src/core/a.ts', 'src/model/b.ts'],
  ['config-knows-names-only', 'src/config/a.ts', 'src/evaluation/b.ts'],
  ['model-knows-no-data', 'src/model/a.ts', 'src/datasets/b.ts'],
  ['datasets-stand-alone', 'src/datasets/a.ts', 'src/config/b.ts'],
  ['teacher-stands-alone', 'src/teacher/a.ts', 'src/generation/b.ts'],
  ['generation-knows-no-model', 'src/generation/a.ts', 'src/trainer/b.ts'],
  ['evaluation-knows-no-model', 'src/evaluation/a.ts', 'src/model/b.ts'],
  ['evaluation-knows-no-model', 'src/evaluation/c.ts', 'src/trainer/jobs/b.ts'],
  ['trainer-knows-no-round', 'src/trainer/a.ts', 'src/round/b.ts'],
  ['report-reads-results-only', 'src/report/a.ts', 'src/round/b.ts'],
  ['libraries-know-no-temporal', 'src/round/a.ts', 'node_modules/@temporalio/client/index.js'],
  ['libraries-know-no-programs', 'src/round/c.ts', 'workflows/b.ts'],
  ['libraries-know-no-programs', 'src/round/d.ts', 'bench/b.ts'],
  ['libraries-know-no-demo', 'src/round/e.ts', 'demo/scenes/b.ts'],
  ['demo-imports-libraries', 'demo/scenes/a.ts', 'cli/b.ts'],
  ['demo-imports-libraries', 'demo/scenes/c.ts', 'demo/command/b.ts'],
  ['workflows-take-types-only', 'workflows/a.ts', 'src/round/b.ts'],
  ['activities-know-no-workers', 'activities/a.ts', 'workers/b.ts'],
  ['workers-know-no-commands', 'workers/a.ts', 'cli/b.ts'],
  ['examples-import-libraries', 'examples/a.ts', 'cli/b.ts'],
  ['programs-stand-without-tests', 'bench/a.ts', 'test/b.ts'],
  ['programs-stand-without-tests', 'scripts/a.ts', 'test/b.ts'],
  ['programs-stand-without-benches', 'scripts/c.ts', 'bench/b.ts'],
  ['programs-stand-without-examples', 'cli/a.ts', 'examples/b.ts'],
  ['unresolvable', 'cli/c.ts', 'cli/gone.ts'],
];

/** As types, which the rules see too. */
const forbiddenTypes: [rule: string, ...Import][] = [
  ['no-cycles', 'src/core/first.ts', 'src/core/second.ts'],
  ['libraries-know-no-temporal', 'src/round/types.ts', 'node_modules/@temporalio/client/index.js'],
  ['libraries-know-no-programs', 'src/round/more-types.ts', 'activities/b.ts'],
];

let folder: string;
/** `rule: from → to` of each violation. */
let found: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imports-'));
  const contents = new Map([
    ['package.json', '{"name": "tree", "type": "module"}'],
    ['tsconfig.json', '{"compilerOptions": {"module": "NodeNext", "allowImportingTsExtensions": true}}'],
    ['node_modules/@temporalio/client/package.json', '{"name": "@temporalio/client", "main": "index.js"}'],
    ['node_modules/@temporalio/client/index.js', 'module.exports = {};'],
  ]);
  const add = ([from, to]: Import, keyword: string) => {
    const [, module] = /^node_modules\/(.*)\/index\.js$/.exec(to) ?? [];
    const path = relative(dirname(from), to);
    const line = `${keyword} { T } from '${module ?? (path.startsWith('.') ? path : `./${path}`)}';\n`;
    contents.set(from, (contents.get(from) ?? 'export type T = 1;\n') + line);
    if (module === undefined && !to.endsWith('gone.ts') && !contents.has(to)) contents.set(to, 'export type T = 1;\n');
  };
  for (const line of allowed) add(line, 'import');
  for (const [, ...line] of forbidden) add(line, 'import');
  for (const [, ...line] of forbiddenTypes) add(line, 'import type');
  // Back, for the cycle.
  add(['src/core/second.ts', 'src/core/first.ts'], 'import type');
  for (const [file, content] of contents) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), content);
  }
  found = await violations();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function violations(): Promise<string[]> {
  const line = [
    projectFile('node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
    ...['--config', projectFile('.dependency-cruiser.cjs'), '--output-type', 'json'],
    ...['workflows', 'activities', 'workers', 'cli', 'src', 'demo', 'bench', 'scripts', 'examples', 'test'],
  ];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, line, { cwd: folder, maxBuffer: 2 ** 26 }, (_, stdout) => resolve(stdout));
  });
  const { summary } = JSON.parse(output) as {
    summary: { violations: { rule: { name: string }; from: string; to: string }[] };
  };
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

describe('a part imports what is below it', () => {
  test.each(allowed)('%s may import %s', (from, to) => {
    expect(found.filter((line) => line.endsWith(`: ${from} → ${to}`))).toEqual([]);
  });

  test.each(forbidden)('%s: %s may not import %s', (rule, from, to) => {
    const target = rule === 'unresolvable' ? './gone.ts' : to;
    expect(found).toContain(`${rule}: ${from} → ${target}`);
  });

  test.each(forbiddenTypes)('%s: %s may not import %s, not even its types', (rule, from, to) => {
    expect(found).toContain(`${rule}: ${from} → ${to}`);
  });
});
