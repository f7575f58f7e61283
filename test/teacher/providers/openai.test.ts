/** What of the environment goes to which host, by the requests as they are sent. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { localClient } from '../../../demo/local-teacher/provider.ts';
import { azureClient } from '../../../src/teacher/providers/azure.ts';
import { openaiClient } from '../../../src/teacher/providers/openai.ts';
import { askTeacher } from '../../../src/teacher/teacher.ts';
import { runningTeacher, teacherSettings } from '../../demo/local-teacher/running-teacher.ts';
import { recordingProxy } from '../../helpers/recording-proxy.ts';

const messages = [{ role: 'user' as const, content: 'Good morning' }];

/** All that the library would read of an account, as a shell has it. */
const account = {
  OPENAI_API_KEY: 'the-key',
  OPENAI_ADMIN_KEY: 'x-admin-key',
  OPENAI_ORG_ID: 'x-organization',
  OPENAI_PROJECT_ID: 'x-project',
  OPENAI_WEBHOOK_SECRET: 'x-webhook',
  OPENAI_BASE_URL: 'http://127.0.0.1:1/x-address',
  OPENAI_CUSTOM_HEADERS: 'X-Gateway: x-gateway\nAuthorization: Bearer x-other-key\napi-key: x-azure-key',
  OPENAI_LOG: 'debug',
  OPENAI_API_VERSION: 'x-version',
  AZURE_OPENAI_API_KEY: 'x-azure-variable',
  AZURE_OPENAI_ENDPOINT: 'http://127.0.0.1:1/x-resource',
};

function accountInEnvironment(): void {
  for (const [name, value] of Object.entries(account)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

test.each([
  ['another server of the protocol', openaiClient, ''],
  ['Azure', azureClient, '/openai'],
  [
    'the local teacher',
    (settings: { requestTimeoutSeconds: number; baseUrl: string }) => localClient(settings, settings.baseUrl),
    '',
  ],
])('%s gets the key that it needs, and nothing else of an account at OpenAI', async (_, connect, path) => {
  accountInEnvironment();
  const logged = ['log', 'debug', 'info', 'warn', 'error'].map((name) => vi.spyOn(console, name as 'log'));
  const { teacher } = await runningTeacher();
  const { address, requests } = await recordingProxy(teacher.baseUrl, () => true);
  const settings = { ...teacherSettings, baseUrl: `${address}${path}` };
  const client = connect(settings);
  await askTeacher(client, messages, settings);
  await askTeacher(client.withOptions({ timeout: 4000 }), messages, settings);
  expect(requests).toHaveLength(2);
  for (const { url, headers } of requests) {
    expect(`${url} ${JSON.stringify(headers)}`).not.toMatch(
      /x-(?!stainless)\w+-|x-(organization|project|gateway|webhook)/,
    );
    const names = Object.keys(headers).filter((name) => /^(openai-|x-gateway|authorization|api-key)/.test(name));
    expect(names).toEqual([connect === azureClient ? 'api-key' : 'authorization']);
  }
  expect(logged.flatMap(({ mock }) => mock.calls)).toEqual([]);
});

test.each([
  ['https://api.openai.com/v1', true],
  [undefined, true],
  ['https://eu.api.openai.com/v1', true],
  ['http://api.openai.com/v1', false],
  ['https://api.openai.com.example.org/v1', false],
  ['https://evil-api.openai.com/v1', false],
  ['https://api.openai.com:8443/v1', false],
  ['https://openai.example.org/api.openai.com', false],
])('organization, project and headers of the account go to %s: %s', async (baseUrl, goes) => {
  accountInEnvironment();
  const client = openaiClient({ ...teacherSettings, baseUrl });
  const { req, url } = await client.buildRequest({ method: 'post', path: '/chat/completions', body: {} });
  expect(url).toBe(`${baseUrl ?? 'https://api.openai.com/v1'}/chat/completions`);
  const headers = new Headers(req.headers);
  const sent = ['openai-organization', 'openai-project', 'x-gateway'].map((name) => headers.has(name));
  expect(sent).toEqual([goes, goes, goes]);
});
