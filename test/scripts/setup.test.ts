import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addonStep } from '../../scripts/setup/addon.mjs';
import { SetupError } from '../../scripts/setup/setup-error.mjs';
import { readState, saveState } from '../../scripts/setup/state.mjs';
import { isAtLeast, versionIn } from '../../scripts/setup/versions.mjs';
import { readSetup } from '../../src/core/setup-file.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const setup = (options: string[] = [], environment: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, ['scripts/setup.mjs', ...options], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });

afterEach(() => vi.unstubAllEnvs());

describe('setup.mjs', () => {
  it('finds everything on a checkout that is set up, a line for each step, and changes nothing', () => {
    const before = readFileSync('.cache/setup.json', 'utf8');
    const { status, stdout } = setup();
    expect(status).toBe(0);
    const steps = ['Node', 'npm packages', 'Temporal CLI', 'Native TensorFlow', 'TensorFlow addon'];
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual(steps.map((step) => `✓ ${step}`));
    expect(readFileSync('.cache/setup.json', 'utf8')).toBe(before);
  });

  it('says what is lacking in a TensorFlow folder that a person named, and touches nothing', () => {
    const { status, stderr } = setup([], { DATAENGINE_TENSORFLOW: '/no/such/folder' });
    expect(status).toBe(1);
    expect(stderr).toContain(
      'Set-up failed at "Native TensorFlow": DATAENGINE_TENSORFLOW names /no/such/folder, which lacks',
    );
    expect(stderr).toContain('What to do: ');
    expect(setup().status).toBe(0);
  });

  it('says what a Python that a person named lacks', () => {
    const { status, stdout, stderr } = setup(['--python'], { DATAENGINE_PYTHON: '/no/such/python' });
    expect(status).toBe(1);
    expect(stdout).toContain('✓ TensorFlow addon');
    expect(stderr).toContain(
      'Set-up failed at "Python environment": DATAENGINE_PYTHON names /no/such/python, which lacks what is needed',
    );
    expect(stderr).toMatch(/What to do: install the packages of \S+requirements\.lock\.txt there, or unset/);
  });

  it('finds the server for the tests of the store, or says that they are skipped', () => {
    const { status, stdout } = setup(['--s3-server']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/✓ S3 server for tests: (SeaweedFS at \S+|no wheel is pinned .* are skipped)/);
  });

  it('refuses an option that it does not know', () => {
    expect(setup(['--cuda'])).toMatchObject({ status: 2, stderr: expect.stringContaining('no option --cuda') });
  });
});

describe('setup.json', () => {
  const stateOf = (cache: string) => ({
    temporal: join(cache, 'temporal/temporal'),
    temporalVersion: { key: `${join(cache, 'temporal/temporal')} 1-2`, version: '1.9.1' },
    tensorflow: '/opt/tensorflow',
    gpu: false,
  });

  it('names files of a copied checkout by the paths of the copy', async () => {
    const [original, copy] = [join(await temporaryFolder(), '.cache'), join(await temporaryFolder(), '.cache')];
    saveState(original, stateOf(original));
    await cp(original, copy, { recursive: true });
    expect(readState(original)).toEqual(stateOf(original));
    expect(readState(copy)).toEqual(stateOf(copy));
    expect(readFileSync(join(copy, 'setup.json'), 'utf8')).not.toContain(original);
  });

  it('is read with the paths of this checkout by the program', async () => {
    expect(setup().status).toBe(0);
    const found = await readSetup();
    expect(found).toMatchObject({ temporal: expect.stringMatching(/^\//), tensorflow: expect.stringMatching(/^\//) });
  });
});

describe('a step that fails', () => {
  it('says how to get a compiler when there is none', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, 'node_modules/@tensorflow/tfjs-node-gpu'), { recursive: true });
    vi.stubEnv('PATH', root);
    vi.stubEnv('CXX', undefined);
    const library = {
      include: root,
      main: join(root, 'libtensorflow_cc.so.2'),
      framework: join(root, 'libtensorflow_framework.so.2'),
      cuda: [],
    };
    const failure = await addonStep.make({ root, library }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: 'the addon is compiled here, and a C++ compiler and make is not installed',
      remedy: expect.stringContaining('apt-get install g++ make'),
    });
  });

  it('names the step, what was tried, and what to do', () => {
    const error = new SetupError({ problem: 'it broke', tried: ['this: no', 'that:\nno'], remedy: 'do so' });
    expect(error.describe('Temporal CLI')).toBe(
      'Set-up failed at "Temporal CLI": it broke\n  Tried:\n    - this: no\n    - that:\n      no\n  What to do: do so',
    );
  });
});

describe('versions', () => {
  it.each([
    ['20.19.0', true],
    ['20.18.9', false],
    ['21.0.0', true],
    ['18.20.0', false],
    ['20', false],
  ])('%s is at least 20.19: %s', (version, expected) => {
    expect(isAtLeast(version, [20, 19])).toBe(expected);
  });

  it('are found in what programs print', () => {
    expect(versionIn('temporal version 1.9.1 (Server 1.32.0, UI 2.50.0)')).toBe('1.9.1');
    expect(versionIn('none')).toBeUndefined();
  });
});
