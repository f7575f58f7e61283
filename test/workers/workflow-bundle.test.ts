/** A worker executes the bundle that `npm run bundle` made, and no other: whoever changes one changes what workflows do. */
import { execFile } from 'node:child_process';
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { createCpuWorker } from '../../workers/create-worker.ts';
import { readWorkflowBundle, writeWorkflowBundle } from '../../workers/workflow-bundle.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { readHistory } from '../workflows/histories/stored.ts';

let whole: string;
let made: string;

beforeAll(async () => {
  whole = await mkdtemp(join(tmpdir(), 'workflow-bundle-'));
  made = join(whole, 'bundle.js');
  const script = ['--import', import.meta.resolve('tsx'), projectFile('scripts/bundle-workflows.ts'), made];
  const { stdout } = await promisify(execFile)(process.execPath, script);
  expect(stdout).toBe(`${made}\n${join(whole, 'bundle.encrypted.js')}\n`);
}, 120_000);

afterAll(() => rm(whole, { recursive: true, force: true }));

/** A copy of the bundle and its record that a test may change. */
async function copy(): Promise<{ folder: string; file: string }> {
  const folder = await temporaryFolder();
  const file = join(folder, basename(made));
  await Promise.all(['', '.sha256'].map((ending) => copyFile(`${made}${ending}`, `${file}${ending}`)));
  return { folder, file };
}

const settings = { ...usualWorkerSettings(), runs: ['/nowhere/runs'], cache: '/nowhere/cache' };

test('the bundle of `npm run bundle` has the workflows, and a record that sha256sum checks', async () => {
  const bundle = await readWorkflowBundle(made, settings);
  const history = await readHistory('run');
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  await Worker.runReplayHistory({ workflowBundle: { ...bundle, sourceMap: '' } }, history, workflowId);
  const { stdout } = await promisify(execFile)('sha256sum', ['--check', `${basename(made)}.sha256`], {
    cwd: whole,
  });
  expect(stdout).toBe(`${basename(made)}: OK\n`);
});

describe('a worker does not start with a bundle', () => {
  const refusal = (file: string, own = settings) =>
    readWorkflowBundle(file, own).then(
      () => undefined,
      (error: unknown) => error,
    );

  test('that was changed after it was made', async () => {
    const { file } = await copy();
    await appendFile(file, '\nglobalThis.changed = true;\n');
    const error = await refusal(file);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(
      /bundle\.js: .*SHA-256 is not the one in .*bundle\.js\.sha256.*npm run bundle/,
    );
    const flags = { taskQueue: 'bundles', workflowBundle: file };
    // Nothing is asked of the server before.
    await expect(createCpuWorker({} as never, flags, { settings })).rejects.toThrow(/was changed after it was made/);
  });

  test('whose record is missing, empty, shortened or of another file', async () => {
    const { file } = await copy();
    const record = await readFile(`${file}.sha256`, 'utf8');
    for (const text of [
      '',
      record.slice(0, 16),
      `${record.slice(0, 16)}  bundle.js\n`,
      `${'0'.repeat(64)}  bundle.js\n`,
    ]) {
      await writeFile(`${file}.sha256`, text);
      expect(await refusal(file), text).toBeInstanceOf(InputError);
    }
    await rm(`${file}.sha256`);
    expect(String(await refusal(file))).toMatch(/record of the bundle's SHA-256 can't be read \(ENOENT\)/);
    await rm(file);
    expect(String(await refusal(file))).toMatch(/the bundle of workflows can't be read \(ENOENT\)/);
  });

  test('in a folder that its steps write into, also by a symbolic link', async () => {
    const folder = await temporaryFolder();
    const own = { ...settings, runs: [join(folder, 'runs')], cache: join(folder, 'cache') };
    await mkdir(join(folder, 'cache'));
    await symlink(join(folder, 'cache'), join(folder, 'elsewhere'));
    for (const place of ['runs/r/files', 'cache', 'elsewhere']) {
      const file = join(folder, place, 'workflow-bundle.js');
      await writeWorkflowBundle(file, 'exports.changed = true;');
      expect(String(await refusal(file, own)), place).toMatch(/in a folder that steps of this worker write into/);
    }
    await writeWorkflowBundle(join(folder, 'build/workflow-bundle.js'), 'code');
    expect(await readWorkflowBundle(join(folder, 'build/workflow-bundle.js'), own)).toEqual({ code: 'code' });
  });
});
