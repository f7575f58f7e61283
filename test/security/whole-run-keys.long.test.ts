/**
 * A whole run with a key: server, workers, report. All that it leaves is searched, the database with Temporal's histories
 * included.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { runDemo } from '../../demo/command/demo.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { filesWith } from '../helpers/files-with.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';

const key = 'sk-marker-of-a-whole-run-0123456789';

afterEach(() => {
  vi.restoreAllMocks();
  delete process.env.OPENAI_API_KEY;
});

/** A proxy before the local teacher. It fails the first questions, and says the key in its complaint, as some do. */
async function complainingProxy(): Promise<{ baseUrl: string; complaints: () => number }> {
  const { teacher } = await runningTeacher({ mistakeRate: 0.2, faults: { requiredKey: key } });
  let complaints = 0;
  const proxy = createServer(async (request, response) => {
    const { method = 'GET', headers, url } = request;
    if (method === 'POST' && complaints < 6) {
      complaints += 1;
      const message = `upstream refused the header "authorization: ${headers.authorization}"`;
      response.writeHead(500, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify({ error: { message, type: 'server_error', code: null } }));
    }
    const forwarded = await fetch(new URL(url ?? '', teacher.baseUrl), {
      ...(method === 'POST' ? { method, body: request, duplex: 'half' } : { method }),
      headers: { authorization: headers.authorization ?? '', 'content-type': 'application/json' },
    } as RequestInit);
    response.writeHead(forwarded.status, { 'content-type': 'application/json' });
    response.end(Buffer.from(await forwarded.arrayBuffer()));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { baseUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/v1`, complaints: () => complaints };
}

test.each(['in OPENAI_API_KEY', 'in a file'])('a key %s is in no file of the run', async (where) => {
  const [folder, secrets] = [await temporaryFolder(), await temporaryFolder()];
  const proxy = await complainingProxy();
  const apiKeyFile = where === 'in a file' ? join(secrets, 'key') : undefined;
  if (apiKeyFile === undefined) process.env.OPENAI_API_KEY = key;
  else await writeFile(apiKeyFile, `${key}\n`);
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    rounds: 1,
    teacher: {
      ...tiny.teacher,
      ...{ provider: 'openai', model: 'local-teacher', baseUrl: proxy.baseUrl, budget: 'none' },
      ...(apiKeyFile && { apiKeyFile }),
    },
  }));
  const printed: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((part) => printed.push(String(part)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation((part) => printed.push(String(part)) > 0);
  const options = { quick: false, keep: false, trainerEntry: pretendTrainerEntry };
  const { rounds, directory } = await runDemo({ ...options, config, signal: new AbortController().signal });
  vi.restoreAllMocks();

  expect(rounds[1]?.samplesAdded).toBeGreaterThan(0);
  expect(proxy.complaints()).toBe(6);
  // The search reads what it should: calls, histories, and all else that there is.
  const searched = async (text: string) => (await filesWith(directory, text)).map((file) => relative(directory, file));
  expect((await searched('upstream refused')).join(' ')).toMatch(/round-1\/generate_calls\//);
  expect(await searched(config)).toContain('temporal.db');
  const all = (await searched('')).join(' ');
  for (const file of ['report.html', 'ledger/', 'config.json', 'logs/worker-cpu.log', 'round-1/generate/manifest.json'])
    expect(all).toContain(file);
  expect(await filesWith(folder, key)).toEqual([]);
  expect(printed.join('')).not.toContain(key);
});
