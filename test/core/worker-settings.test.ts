import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadWorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function load(text: string) {
  const file = join(await temporaryFolder(), 'worker.yaml');
  await writeFile(file, text);
  return loadWorkerSettings({ [workerSettingsVariable]: file });
}

test('umask is none by default, and octal digits in quotes', async () => {
  expect((await load('')).umask).toBeUndefined();
  expect((await load('umask: "027"')).umask).toBe('027');
});

// YAML reads 027 as the number 27.
test.each(['027', '"0o27"', '"999"', '"27"'])('umask: %s is an error that shows how to write it', async (text) => {
  await expect(load(`umask: ${text}`)).rejects.toThrow(/umask: .*in quotes, such as "027"/);
});

describe('hosts, stores and folders that can’t be meant are refused with the reason', () => {
  test.each([
    ['*', /write a host such as/],
    ['*.com', /\*\.com stands for hosts of many owners/],
    ['*.co.uk', /stands for hosts of many owners/],
    ['http://*.com:8000', /stands for hosts of many owners/],
    ['a.*.com', /write a host such as/],
    ['*.0.0.1', /stands before names, not before addresses/],
    ['*.[::1]', /stands before names, not before addresses/],
    ['host:99999', /99999 is no port/],
    ['host:0', /0 is no port/],
    ['host:0443', /0443 is no port: write 1 to 65535, without leading zeros/],
    ['host:', /write a host such as/],
    ['127.1', /write 127\.1 as 127\.0\.0\.1/],
    ['2130706433', /write 2130706433 as 127\.0\.0\.1/],
    ['0x7f.0.0.1', /write 0x7f\.0\.0\.1 as 127\.0\.0\.1/],
    ['127.0.0.1.', /write 127\.0\.0\.1\. as 127\.0\.0\.1/],
    ['256.0.0.1', /256\.0\.0\.1 is no host/],
    ['[0:0:0:0:0:0:0:1]', /as \[::1\]/],
    ['::1', /write a host such as/],
    ['api..openai.com', /is no name of a host/],
    ['.openai.com', /is no name of a host/],
    ['api.openai.com.', /is no name of a host/],
    ['-api.openai.com', /is no name of a host/],
    ['api.openai.com/v1', /write a host such as/],
    ['user@api.openai.com', /write a host such as/],
    ['ftp://api.openai.com', /write a host such as/],
    ['', /write a host such as/],
  ])('host %j', async (host, reason) => {
    const loading = load(`secrets: [{ variable: KEY, hosts: [${JSON.stringify(host)}] }]`);
    await expect(loading).rejects.toMatchObject({ name: 'InputError', field: 'secrets[0].hosts[0]' });
    await expect(loading).rejects.toThrow(reason);
  });

  test.each([
    ['s3://Bucket', /"Bucket" is no bucket: its name has 3 to 63 small letters/],
    ['s3://my_bucket', /is no bucket/],
    ['s3://ab', /is no bucket/],
    ['s3://*', /is no bucket/],
    ['s3://', /write s3:\/\/bucket/],
    ['https://bucket', /write s3:\/\/bucket/],
    ['s3://bucket/../other', /a prefix is a plain path/],
    ['s3://bucket/..', /a prefix is a plain path/],
    ['s3://bucket/a/./b', /a prefix is a plain path/],
    ['s3://bucket//a', /a prefix is a plain path/],
    ['s3://bucket/a b', /write s3:\/\/bucket/],
    ['s3://bucket/a?b', /a prefix has no spaces/],
    ['s3://bucket/a\n', /write s3:\/\/bucket/],
  ])('store %j', async (store, reason) => {
    const loading = load(`stores: [${JSON.stringify(store)}]`);
    await expect(loading).rejects.toMatchObject({ name: 'InputError', field: 'stores[0]' });
    await expect(loading).rejects.toThrow(reason);
  });

  test.each(['~/runs', '$' + '{HOME}/runs', '', 'a\0b'])('folder %j', async (folder) => {
    for (const key of ['configs', 'data', 'models', 'runs']) {
      await expect(load(`${key}: [${JSON.stringify(folder)}]`)).rejects.toMatchObject({ field: `${key}[0]` });
    }
  });

  test('a value in place of a variable’s name', async () => {
    await expect(load('webhooks: ["https://hooks.example/x"]')).rejects.toThrow(/the name of an environment variable/);
    await expect(load('secrets: [{ variable: sk-123, hosts: [a.example] }]')).rejects.toThrow(/the name of an/);
  });
});

test('hosts and stores as they are written in the documentation are taken', async () => {
  const hosts = [
    'api.openai.com',
    '*.openai.azure.com',
    '*.example.com',
    '10.0.0.5:8000',
    'http://gpu-7:8000',
    '[::1]:8000',
  ];
  const stores = ['s3://my-bucket', 's3://my-bucket/', 's3://my.bucket-2/dataengine/team'];
  const settings = await load(JSON.stringify({ stores, secrets: [{ variable: 'KEY', hosts }] }));
  expect(settings.stores).toEqual(stores);
  expect(settings.secrets).toEqual([{ variable: 'KEY', hosts }]);
});

test('models are in the folders of the datasets, unless others are listed', async () => {
  expect((await load('data: [/data]')).models).toEqual(['/data']);
  expect((await load('{ data: [/data], models: [/models] }')).models).toEqual(['/models']);
});
