import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  mayReceiveSecret,
  requireConfigAccess,
  requireDataAccess,
  requireRunsAccess,
  requireStoreAccess,
  requireTeacherAccess,
  requireWebhookAccess,
} from '../../src/core/access.ts';
import { usualWorkerSettings, type WorkerSettings } from '../../src/core/worker-settings.ts';

let folder: string;
let settings: WorkerSettings;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'access-'));
  await mkdir(join(folder, 'configs'));
  await mkdir(join(folder, 'runs'));
  await writeFile(join(folder, 'configs', 'good.yaml'), 'rounds: 1\n');
  await writeFile(join(folder, 'outside.yaml'), 'rounds: 1\n');
  settings = {
    ...usualWorkerSettings(),
    configs: [join(folder, 'configs')],
    data: [join(folder, 'data')],
    runs: [join(folder, 'runs')],
    stores: ['s3://runs/team'],
  };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a config of a workflow's input", () => {
  test("lies in one of the worker's folders", async () => {
    await requireConfigAccess(settings, join(folder, 'configs', 'good.yaml'));
    for (const file of ['outside.yaml', 'configs/../outside.yaml', '../../etc/passwd']) {
      await expect(requireConfigAccess(settings, join(folder, file))).rejects.toThrow(
        /none of the folders of this worker/,
      );
    }
    for (const file of ['/proc/self/fd/4', '/etc/passwd', '/dev/zero', '']) {
      await expect(requireConfigAccess(settings, file)).rejects.toThrow(/none of the folders of this worker/);
    }
  });

  test('is not reached by a symbolic link that leads out', async () => {
    await symlink(join(folder, 'outside.yaml'), join(folder, 'configs', 'link.yaml'));
    await expect(requireConfigAccess(settings, join(folder, 'configs', 'link.yaml'))).rejects.toThrow(
      /none of the folders/,
    );
  });

  test('is a regular file of limited size', async () => {
    const fifo = join(folder, 'configs', 'fifo.yaml');
    execFileSync('mkfifo', [fifo]);
    await expect(requireConfigAccess(settings, fifo)).rejects.toThrow(/is not a regular file/);
    const large = join(folder, 'configs', 'large.yaml');
    await writeFile(large, 'x'.repeat(1_000_001));
    await expect(requireConfigAccess(settings, large)).rejects.toThrow(
      /has 1000001 bytes, and a config may have 1000000/,
    );
  });

  test('a data root lies there too', async () => {
    await requireDataAccess(settings, join(folder, 'data', 'mine'));
    await requireDataAccess(settings, undefined);
    await expect(requireDataAccess(settings, '/etc')).rejects.toThrow(/the data root is in none of the folders/);
  });
});

test("a run lies in one of the worker's folders or stores", async () => {
  await requireRunsAccess(settings, join(folder, 'runs', 'tuesday'));
  for (const run of [folder, join(folder, 'runs', '..'), join(folder, 'runs-of-others', 'a'), '/root/.ssh']) {
    await expect(requireRunsAccess(settings, run)).rejects.toThrow(/none of its folders/);
  }
  requireStoreAccess(settings, 's3://runs/team/runs/tuesday');
  requireStoreAccess(settings, 's3://runs/team');
  for (const uri of ['s3://runs', 's3://runs/teammate/runs/a', 's3://other/team', 's3://runs/team/../other/runs/a']) {
    expect(() => requireStoreAccess(settings, uri)).toThrow(/is no store of this worker/);
  }
  expect(() => requireStoreAccess(usualWorkerSettings(), 's3://runs/team')).toThrow(/is no store of this worker/);
});

describe('a secret', () => {
  const openai = { variable: 'OPENAI_API_KEY' };

  test("goes to its provider's host without any settings", () => {
    const usual = usualWorkerSettings();
    expect(mayReceiveSecret(usual, openai, 'https://api.openai.com/v1')).toBe(true);
    const azure = { variable: 'AZURE_OPENAI_API_KEY' };
    expect(mayReceiveSecret(usual, azure, 'https://mine.openai.azure.com/openai')).toBe(true);
  });

  test.each([
    [openai, 'https://evil.example/v1'],
    [openai, 'http://api.openai.com/v1'],
    [openai, 'https://api.openai.com.evil.example/v1'],
    [openai, 'https://api.openai.com:8443/v1'],
    [openai, 'https://api.openai.com@evil.example/v1'],
    [{ variable: 'AWS_SECRET_ACCESS_KEY' }, 'https://api.openai.com/v1'],
    [{ variable: 'OPENAI_API_KEY', file: '/etc/shadow' }, 'https://api.openai.com/v1'],
    [{ variable: 'OPENAI_API_KEY', file: '/etc/shadow' }, 'http://127.0.0.1:9000/v1'],
    [{ variable: 'AZURE_OPENAI_API_KEY' }, 'https://openai.azure.com.evil.example/'],
    [{ variable: 'AZURE_OPENAI_API_KEY' }, 'https://evilopenai.azure.com/'],
  ])('%o is not sent to %s', (secret, address) => {
    expect(() => mayReceiveSecret(usualWorkerSettings(), secret, address)).toThrow(/this worker may not send/);
  });

  test('goes to no server on this machine that is not listed', () => {
    for (const host of ['127.0.0.1:8000', 'localhost:8000', '[::1]:8000', '127.8.9.1'])
      expect(mayReceiveSecret(usualWorkerSettings(), openai, `http://${host}/v1`)).toBe(false);
    const listed = { ...settings, secrets: [{ variable: 'OPENAI_API_KEY', hosts: ['http://127.0.0.1:8000'] }] };
    expect(mayReceiveSecret(listed, openai, 'http://127.0.0.1:8000/v1')).toBe(true);
    expect(mayReceiveSecret(listed, openai, 'http://127.0.0.1:8001/v1')).toBe(false);
  });

  test('of a file goes where that file is bound to', () => {
    const listed = { ...settings, secrets: [{ file: '/run/secrets/teacher', hosts: ['teacher.example'] }] };
    const secret = { variable: 'OPENAI_API_KEY', file: '/run/secrets/teacher' };
    expect(mayReceiveSecret(listed, secret, 'https://teacher.example/v1')).toBe(true);
  });
});

test('prompts go to this machine, or to a host that a secret is bound to', () => {
  const usual = usualWorkerSettings();
  for (const address of ['http://127.0.0.1:8000/v1', 'http://[::1]:8000', 'https://api.openai.com/v1']) {
    requireTeacherAccess(usual, address);
  }
  for (const address of ['http://192.0.2.2:8000/v1', 'http://169.254.169.254/', 'https://evil.example']) {
    expect(() => requireTeacherAccess(usual, address)).toThrow(/may not send prompts to/);
  }
  const listed = {
    ...settings,
    secrets: [{ variable: 'X', hosts: ['http://gpu:80', 'https://gpu:443', 'gpu2:8443'] }],
  };
  for (const address of ['http://gpu:80/v1', 'http://gpu/v1', 'https://gpu:443', 'https://gpu2:8443']) {
    requireTeacherAccess(listed, address);
  }
  expect(() => requireTeacherAccess(listed, 'http://gpu2:8443')).toThrow(/may not send prompts/);
});

test.each(['configs/good.yaml/x', 'configs/a\0b', `configs/${'x'.repeat(300)}`])(
  '%j is no path: said at once',
  async (path) => {
    await expect(requireConfigAccess(settings, join(folder, path))).rejects.toMatchObject({ name: 'InputError' });
  },
);

test('a webhook is one that the worker lists', () => {
  expect(() => requireWebhookAccess(settings, 'OPENAI_API_KEY')).toThrow(/is no webhook of this worker/);
  requireWebhookAccess({ ...settings, webhooks: ['SLACK'] }, 'SLACK');
});

test('work that a person typed trusts the config', async () => {
  await requireConfigAccess(undefined, '/etc/hosts');
  await requireRunsAccess(undefined, '/anywhere');
  requireStoreAccess(undefined, 's3://any');
  requireWebhookAccess(undefined, 'ANY');
  expect(mayReceiveSecret(undefined, { variable: 'ANY' }, 'https://any.example')).toBe(true);
});

test('of a path elsewhere a refusal does not say what is there', async () => {
  const access = usualWorkerSettings();
  await expect(requireConfigAccess(access, '/root/own.yaml')).rejects.toThrow(
    /List it under configs .*; or run it on this machine alone, without a worker: `dataengine run --local --config \/root\/own\.yaml`/,
  );
  for (const path of ['/etc/passwd/x', '/etc/no-such-file/x', '/root/x/y', '/proc/self/fd/0/x']) {
    await expect(requireConfigAccess(access, path)).rejects.toThrow(/is in none of the folders of this worker/);
  }
});
