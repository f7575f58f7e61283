import type OpenAI from 'openai';
import { toFile } from 'openai';
import { describe, expect, test } from 'vitest';
import { runningTeacher } from './running-teacher.ts';

const line = (id: string, content = `hello ${id}`) =>
  JSON.stringify({
    custom_id: id,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4', messages: [{ role: 'user', content }] },
  });

async function createBatch(client: OpenAI, lines: string[], metadata: Record<string, string> = {}) {
  const file = await client.files.create({ file: await toFile(Buffer.from(lines.join('\n'))), purpose: 'batch' });
  return client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata,
  });
}

async function resultIds(client: OpenAI, file: string | null | undefined): Promise<string[]> {
  if (!file) return [];
  const text = await (await client.files.content(file)).text();
  return text
    .trim()
    .split('\n')
    .map((result) => (JSON.parse(result) as { custom_id: string }).custom_id);
}

describe('a batch', () => {
  test('is validated, done after a while, and has an answer for each request', async () => {
    const { client, teacher } = await runningTeacher();
    const created = await createBatch(client, [line('a'), line('b')], { key: 'one' });
    expect(created).toMatchObject({ status: 'validating', metadata: { key: 'one' } });
    const done = await client.batches.retrieve(created.id);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 2, completed: 2, failed: 0 } });
    expect(await resultIds(client, done.output_file_id)).toEqual(['a', 'b']);
    expect(teacher.counts()).toMatchObject({ requests: 0, answered: 0, batch: { created: 1, answered: 2 } });
  });

  test('takes its time', async () => {
    const { client } = await runningTeacher({ faults: { batches: { seconds: 60 } } });
    const { id } = await createBatch(client, [line('a')]);
    expect(await client.batches.retrieve(id)).toMatchObject({ status: 'in_progress' });
  });

  test('may fail in part', async () => {
    const { client } = await runningTeacher({ faults: { batches: { failedRequests: 0.5 } } });
    const ids = Array.from({ length: 40 }, (_, index) => `r${index}`);
    const { id } = await createBatch(
      client,
      ids.map((each) => line(each)),
    );
    const { output_file_id, error_file_id } = await client.batches.retrieve(id);
    const [answered, failed] = [await resultIds(client, output_file_id), await resultIds(client, error_file_id)];
    expect(answered.length).toBeGreaterThan(5);
    expect(failed.length).toBeGreaterThan(5);
    expect([...answered, ...failed].sort()).toEqual([...ids].sort());
  });

  test('may expire half done', async () => {
    const { client } = await runningTeacher({ faults: { batches: { script: ['expired'] } } });
    const { id } = await createBatch(client, [line('a'), line('b'), line('c')]);
    const { status, output_file_id, error_file_id } = await client.batches.retrieve(id);
    expect(status).toBe('expired');
    expect(await resultIds(client, output_file_id)).toEqual(['a', 'b']);
    expect(await resultIds(client, error_file_id)).toEqual(['c']);
  });

  test('can be canceled', async () => {
    const { client, teacher } = await runningTeacher({ faults: { batches: { seconds: 60 } } });
    const { id } = await createBatch(client, [line('a'), line('b')]);
    expect(await client.batches.cancel(id)).toMatchObject({ status: 'cancelling' });
    expect(await client.batches.retrieve(id)).toMatchObject({ status: 'cancelled' });
    expect(teacher.counts().batch.cancelled).toBe(1);
  });

  test('with a broken line or an id twice fails, and names the line', async () => {
    const { client } = await runningTeacher();
    const { id } = await createBatch(client, [line('a'), '{', line('a')]);
    const { status, errors } = await client.batches.retrieve(id);
    expect(status).toBe('failed');
    expect(errors?.data?.map((error) => error.line)).toEqual([2, 3]);
  });

  test('is found in the list', async () => {
    const { client } = await runningTeacher();
    await createBatch(client, [line('a')], { key: 'one' });
    await createBatch(client, [line('b')], { key: 'two' });
    const keys: unknown[] = [];
    for await (const batch of client.batches.list({ limit: 1 })) keys.push(batch.metadata?.key);
    expect(keys).toEqual(['two', 'one']);
  });
});
