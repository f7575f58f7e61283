import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { removeLeftovers, unpackWheels } from '../../../scripts/setup/wheels.mjs';
import { hashFile } from '../../../src/core/hash.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('tool/lib/library.so', 'library')
    wheel.writestr('tool/program.py', 'not wanted')
    wheel.writestr('tool-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tool\\nVersion: 1.0\\n')
    wheel.writestr('tool-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('tool-1.0.dist-info/RECORD', '')
`;

/** A wheel on this disk, which the real pip finds with no network. */
async function localWheel() {
  const folder = await temporaryFolder();
  const file = join(folder, 'tool-1.0-py3-none-any.whl');
  execFileSync('python3', ['-c', makeWheel, file]);
  vi.stubEnv('PIP_NO_INDEX', '1');
  vi.stubEnv('PIP_FIND_LINKS', folder);
  return { cache: join(folder, 'cache'), hash: await hashFile(file) };
}

const unpack = (cache: string, hash: string, bytes = 1) =>
  unpackWheels({
    folder: join(cache, 'tool'),
    wheels: [{ requirement: 'tool==1.0', hashes: [hash], platforms: ['any'] }],
    strip: 'tool/',
    wanted: ['tool/lib/'],
    bytes,
  });

afterEach(() => vi.unstubAllEnvs());

describe('unpackWheels', () => {
  it('takes out of a pinned wheel what is wanted, and deletes the wheel', async () => {
    const { cache, hash } = await localWheel();
    await unpack(cache, hash);
    expect(await readFile(join(cache, 'tool/lib/library.so'), 'utf8')).toBe('library');
    expect(await readdir(join(cache, 'tool'))).toEqual(['lib']);
    expect(await readdir(cache)).toEqual(['tool']);
  });

  it('replaces what was there before', async () => {
    const { cache, hash } = await localWheel();
    await mkdir(join(cache, 'tool'), { recursive: true });
    await writeFile(join(cache, 'tool/old'), '');
    await unpack(cache, hash);
    expect(await readdir(join(cache, 'tool'))).toEqual(['lib']);
  });

  it('refuses a wheel with another hash, quotes pip, and leaves nothing', async () => {
    const { cache } = await localWheel();
    const failure = await unpack(cache, '0'.repeat(64)).catch((error: unknown) => error);
    const message = 'tool==1.0 was downloaded with another content than the pinned one';
    expect(failure).toMatchObject({ name: 'SetupError', message, isFinal: true });
    expect(failure).toMatchObject({ tried: [expect.stringMatching(/HASH|hash/)] });
    expect(await readdir(cache)).toEqual([]);
  });

  it('reports how much space is missing before it downloads anything', async () => {
    const { cache, hash } = await localWheel();
    await expect(unpack(cache, hash, 1e18)).rejects.toThrow(/GB free, and this needs 1000000000\.0 GB/);
    expect(await readdir(cache)).toEqual([]);
  });

  it('says which Pythons were tried when none will do', async () => {
    const { cache, hash } = await localWheel();
    vi.stubEnv('PATH', cache);
    const failure = await unpack(cache, hash).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringContaining(
        'no Python 3.9 or newer with pip, which downloads the native libraries, was found',
      ),
    });
    expect(failure).toMatchObject({ tried: [expect.stringMatching(/^python3: /), expect.stringMatching(/^python: /)] });
    expect(failure).toMatchObject({ remedy: expect.stringContaining('apt-get install python3-pip') });
  });

  it('clears away what a killed set-up left', async () => {
    const cache = await temporaryFolder();
    await mkdir(join(cache, 'setup-work-abc/unpacked'), { recursive: true });
    await mkdir(join(cache, 'temporal'));
    removeLeftovers(cache);
    expect(existsSync(join(cache, 'setup-work-abc'))).toBe(false);
    expect(await readdir(cache)).toEqual(['temporal']);
  });
});
