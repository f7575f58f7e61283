/** Pushing to and pulling from a server on this machine that speaks the Hub's protocol. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HubAccess, hubAccess } from '../../../src/core/hub/hub-access.ts';
import { requireRepoName } from '../../../src/core/hub/hub-repo.ts';
import { pulledFile, pullRepo } from '../../../src/core/hub/pull-repo.ts';
import { pushFolder } from '../../../src/core/hub/push-folder.ts';
import { pythonOfSetup } from '../../../src/core/setup-file.ts';
import { usualWorkerSettings } from '../../../src/core/worker-settings.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type LocalHub, startHub } from './hub-server.ts';

const dataset = { type: 'dataset', name: 'me/my-data' } as const;
const mostBytes = 10_000_000;

async function localHub(): Promise<LocalHub> {
  const hub = await startHub();
  onTestFinished(() => hub.close());
  return hub;
}

/** Access to the local Hub, whose host the settings bind the token to. */
async function accessTo(
  hub: LocalHub,
  environment: Record<string, string> = { HF_TOKEN: hub.token },
): Promise<HubAccess> {
  const secrets = [{ variable: 'HF_TOKEN', hosts: [hub.endpoint] }];
  return hubAccess({ secrets }, { HOME: '/nowhere', HF_ENDPOINT: hub.endpoint, ...environment });
}

async function folderWith(files: Record<string, string | Buffer>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

const large = randomBytes(100_000);
const contents = { 'README.md': '# Küche\n', 'data/a b #1.bin': large, 'data/empty.txt': '' };

async function push(access: HubAccess, files: Record<string, string | Buffer>) {
  const folder = await folderWith(files);
  return pushFolder(access, { repo: dataset, folder, title: 'A title', isPublic: false, facts: { version: 'x' } });
}

test('what is pushed comes back as it was, at the commit that is recorded', async () => {
  const hub = await localHub();
  const access = await accessTo(hub);
  const { commit, written } = await push(access, contents);
  expect(written.sort()).toEqual([...Object.keys(contents), 'dataengine.json'].sort());
  expect(hub.repos.get('datasets/me/my-data')?.visibility).toBe('private');
  const output = join(await temporaryFolder(), 'out');
  const pulled = await pullRepo(access, { repo: dataset, revision: 'main', output, mostBytes });
  expect(pulled).toMatchObject({ commit, isNew: true });
  for (const [path, content] of Object.entries(contents)) {
    expect((await readFile(join(output, path))).equals(Buffer.from(content)), path).toBe(true);
  }
  expect(JSON.parse(await readFile(join(output, pulledFile), 'utf8'))).toMatchObject({ commit, revision: 'main' });
  // Again: nothing to do.
  const again = await pullRepo(access, { repo: dataset, revision: 'main', output, mostBytes });
  expect(again).toMatchObject({ commit, isNew: false });
});

test('the same content makes no commit; a change sends what has changed, and removes what is gone, but not of others', async () => {
  const hub = await localHub();
  const access = await accessTo(hub);
  const first = await push(access, contents);
  expect(await push(access, contents)).toEqual({ commit: first.commit, written: [], removed: [] });
  await hub.commit('datasets/me/my-data', { 'of-others.md': 'kept' });
  const { 'data/a b #1.bin': _, ...rest } = contents;
  const next = await push(access, { ...rest, 'README.md': '# New\n' });
  expect(next.written.sort()).toEqual(['README.md', 'dataengine.json']);
  expect(next.removed).toEqual(['data/a b #1.bin']);
  const files = hub.repos.get('datasets/me/my-data')?.commits.at(-1)?.files;
  expect([...(files?.keys() ?? [])].sort()).toEqual(
    ['.gitattributes', 'README.md', 'data/empty.txt', 'dataengine.json', 'of-others.md'].sort(),
  );
});

test('an interrupted push sends no large file twice', async () => {
  const hub = await localHub();
  const access = await accessTo(hub);
  hub.interfere = ({ url = '' }, response) => {
    if (!url.includes('/commit/')) return false;
    response.writeHead(503).end('not now');
    return true;
  };
  await expect(push(access, contents)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('503'),
  });
  hub.interfere = () => false;
  const sent = hub.requests.filter(({ origin }) => origin === 'storage').length;
  expect(sent).toBe(4);
  await push(access, contents);
  expect(hub.requests.filter(({ origin }) => origin === 'storage')).toHaveLength(sent);
});

test('a repository that somebody else changes at the same time is not overwritten', async () => {
  const hub = await localHub();
  const access = await accessTo(hub);
  await push(access, contents);
  let changed = false;
  hub.interfere = ({ url = '' }) => {
    if (url.includes('/preupload/') && !changed) {
      changed = true;
      void hub.commit('datasets/me/my-data', { 'README.md': 'by somebody else' });
    }
    return false;
  };
  await expect(push(access, { 'README.md': 'mine' })).rejects.toMatchObject({
    message: expect.stringContaining('was changed by somebody else meanwhile'),
  });
});

describe('a pull writes nothing that it has not checked', () => {
  const pull = async (access: HubAccess, output: string, limit = mostBytes) =>
    pullRepo(access, { repo: dataset, revision: 'main', output, mostBytes: limit });

  test.each(['../x', '/etc/x', 'a/../../x', '.git/config', 'a//b', pulledFile])(
    'the path %s is refused',
    async (path) => {
      const hub = await localHub();
      await hub.commit('datasets/me/my-data', { [path]: 'content' });
      const output = join(await temporaryFolder(), 'out');
      await expect(pull(await accessTo(hub), output)).rejects.toMatchObject({ name: 'InputError' });
      expect(await readdir(join(output, '..'))).toEqual([]);
    },
  );

  test.each([
    ['other content', (content: Buffer) => Buffer.from(content).fill(0, 0, 1), 'another content than its hash'],
    ['too much content', (content: Buffer) => Buffer.concat([content, Buffer.from('x')]), 'has more than'],
    ['too little content', (content: Buffer) => content.subarray(1), 'ends after 99999 of 100000 bytes'],
  ])('%s is refused, and a later pull resumes', async (_, damage, problem) => {
    const hub = await localHub();
    await hub.commit('datasets/me/my-data', { 'a.txt': 'small', 'b.bin': large });
    hub.interfere = ({ url = '', headers }, response) => {
      if (!url.startsWith('/object/') || headers.range !== undefined) return false;
      response.writeHead(200).end(damage(large));
      return true;
    };
    const access = await accessTo(hub);
    const output = join(await temporaryFolder(), 'out');
    await expect(pull(access, output)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining(problem),
      field: 'b.bin',
    });
    expect((await readdir(join(output, '..'))).some((name) => name === 'out')).toBe(false);
    hub.interfere = () => false;
    hub.requests.length = 0;
    expect(await pull(access, output)).toMatchObject({ isNew: true });
    expect((await readFile(join(output, 'b.bin'))).equals(large)).toBe(true);
    expect(hub.requests.filter(({ path }) => path.includes('a.txt'))).toEqual([]);
    expect(await readdir(join(output, '..'))).toEqual(['out']);
  });

  test('more than it may have, a folder that is not empty and a repository that is not there are refused', async () => {
    const hub = await localHub();
    const access = await accessTo(hub);
    await expect(pull(access, join(await temporaryFolder(), 'out'))).rejects.toThrow(/is not on the Hub/);
    await hub.commit('datasets/me/my-data', { 'b.bin': large });
    await expect(pull(access, join(await temporaryFolder(), 'out'), 1000)).rejects.toThrow(/--max-size/);
    const folder = await folderWith({ x: 'y' });
    await expect(pull(access, folder)).rejects.toThrow(/is not empty/);
    await expect(pull(access, join(folder, 'x'))).rejects.toThrow(/is not empty/);
    expect(await readdir(folder)).toEqual(['x']);
  });

  test('a copy that was changed is no copy', async () => {
    const hub = await localHub();
    await hub.commit('datasets/me/my-data', { 'a.txt': 'small' });
    const access = await accessTo(hub);
    const output = join(await temporaryFolder(), 'out');
    await pull(access, output);
    await writeFile(join(output, 'a.txt'), 'other');
    await expect(pull(access, output)).rejects.toThrow(/is not empty/);
  });
});

describe('the token', () => {
  test('goes to the Hub alone, not to where it keeps large files', async () => {
    const hub = await localHub();
    const access = await accessTo(hub);
    await push(access, contents);
    await pullRepo(access, { repo: dataset, revision: 'main', output: join(await temporaryFolder(), 'o'), mostBytes });
    const seen = (origin: string) =>
      new Set(hub.requests.filter((one) => one.origin === origin).map((one) => one.authorization));
    expect(hub.requests.some(({ origin, method }) => origin === 'storage' && method === 'PUT')).toBe(true);
    expect(hub.requests.some(({ origin, method }) => origin === 'storage' && method === 'GET')).toBe(true);
    expect(seen('storage')).toEqual(new Set([undefined]));
    expect(seen('hub')).toEqual(new Set([`Bearer ${hub.token}`]));
  });

  test('goes to no host that it is not bound to', async () => {
    const environment = { HF_TOKEN: 'hf_secret', HOME: '/nowhere' };
    const settings = usualWorkerSettings();
    expect(await hubAccess(settings, environment)).toMatchObject({
      endpoint: 'https://huggingface.co',
      token: 'hf_secret',
    });
    for (const HF_ENDPOINT of ['http://huggingface.co', 'https://huggingface.co.evil.example', 'http://127.0.0.1:9']) {
      await expect(hubAccess(settings, { ...environment, HF_ENDPOINT })).rejects.toMatchObject({
        name: 'InputError',
        message: expect.not.stringContaining('hf_secret'),
      });
    }
    await expect(hubAccess(settings, { HOME: '/nowhere', HF_ENDPOINT: 'http://127.0.0.1:9' })).resolves.toMatchObject({
      token: undefined,
    });
  });

  test("is that of the environment, or of the Hub's own file, and is quoted in no error", async () => {
    const home = await folderWith({ '.cache/huggingface/token': 'hf_ofFile\n', 'other/token': 'not-a-token' });
    const settings = usualWorkerSettings();
    expect((await hubAccess(settings, { HOME: home })).token).toBe('hf_ofFile');
    expect((await hubAccess(settings, { HOME: home, HF_TOKEN: 'hf_own' })).token).toBe('hf_own');
    await expect(hubAccess(settings, { HOME: home, HF_HOME: join(home, 'other') })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.not.stringContaining('not-a-token'),
    });
  });

  test('a redirect of a request that writes is not followed', async () => {
    const hub = await localHub();
    hub.interfere = ({ url = '' }, response) => {
      if (!url.startsWith('/api/repos/create')) return false;
      response.writeHead(307, { location: `${hub.storage}/object/x` }).end();
      return true;
    };
    await expect(push(await accessTo(hub), contents)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining('where it may not go'),
    });
    expect(hub.requests.filter(({ origin }) => origin === 'storage')).toEqual([]);
  });

  test('without one a push is refused, and a private repository is not there', async () => {
    const hub = await localHub();
    await push(await accessTo(hub), contents);
    const nobody = await accessTo(hub, {});
    await expect(push(nobody, contents)).rejects.toThrow(/a push needs a token/);
    const output = join(await temporaryFolder(), 'o');
    await expect(pullRepo(nobody, { repo: dataset, revision: 'main', output, mostBytes })).rejects.toThrow(
      /needs a token/,
    );
  });
});

test.each(['me', 'me/../x', 'a/b/c', '/x', 'me/.git', 'datasets/me/x'])('%s is no repository', (name) => {
  expect(() => requireRepoName(name)).toThrow(/is no repository of the Hub/);
});

test('a link is not pushed', async () => {
  const hub = await localHub();
  const folder = await folderWith({ 'a.txt': 'a' });
  await symlink('/etc/hostname', join(folder, 'b.txt'));
  const options = { repo: dataset, folder, title: 'x', isPublic: false, facts: {} };
  await expect(pushFolder(await accessTo(hub), options)).rejects.toThrow(/b\.txt: is neither a file nor a folder/);
});

const pythons = [process.env.DATASETS_PYTHON, ...(await Promise.all((['torch', 'python'] as const).map(setUp)))];
const python = (await Promise.all(pythons.map(withHub))).find((one) => one !== undefined);

async function setUp(environment: 'torch' | 'python'): Promise<string | undefined> {
  return pythonOfSetup(environment).catch(() => undefined);
}

async function withHub(candidate: string | undefined): Promise<string | undefined> {
  if (candidate === undefined) return undefined;
  return promisify(execFile)(candidate, ['-c', 'import huggingface_hub']).then(
    () => candidate,
    () => undefined,
  );
}

test.skipIf(python === undefined)("Python's huggingface_hub pulls what was pushed", { timeout: 120_000 }, async () => {
  const hub = await localHub();
  const { commit } = await push(await accessTo(hub), contents);
  const output = join(await temporaryFolder(), 'out');
  const script = `
from huggingface_hub import snapshot_download
print(snapshot_download("${dataset.name}", repo_type="dataset", revision="${commit}", local_dir="${output}"))`;
  const env = {
    ...process.env,
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: hub.token,
    HF_HUB_DISABLE_XET: '1',
    HF_HOME: output,
  };
  await promisify(execFile)(python as string, ['-c', script], { env });
  for (const [path, content] of Object.entries(contents)) {
    expect((await readFile(join(output, path))).equals(Buffer.from(content)), path).toBe(true);
  }
});

test.each([
  ['/revision/', 'no JSON', /dataset me\/my-data: the Hub answers something else than a Hub does/],
  ['/tree/', '{"a": 1', /dataset me\/my-data: the Hub answers something else than a Hub does/],
  ['/tree/', 'null', /dataset me\/my-data: the Hub answers something else than a Hub does/],
  ['/tree/', '[{"type": "file", "path": {}, "size": 1}]', /without a path, a size and a hash/],
  ['/resolve/', '', /dataset me\/my-data: the Hub does not give the file: /],
])('what %s answers is not trusted: %j is an error that names the repository', async (path, body, message) => {
  const hub = await localHub();
  const access = await accessTo(hub);
  await push(access, contents);
  hub.interfere = ({ url = '' }, response) => {
    if (!url.includes(path)) return false;
    response.writeHead(path === '/resolve/' ? 500 : 200, { 'content-type': 'application/json' }).end(body);
    return true;
  };
  const output = join(await temporaryFolder(), 'out');
  await expect(pullRepo(access, { repo: dataset, revision: 'main', output, mostBytes })).rejects.toThrow(message);
});
