/**
 * Azure's way of the protocol: the deployment in the path, the key in a header of its own, a version in the query.
 */
import { expect, test } from 'vitest';
import { azureClient } from '../../../src/teacher/providers/azure.ts';
import { askTeacher } from '../../../src/teacher/teacher.ts';
import { runningTeacher, teacherSettings } from '../../demo/local-teacher/running-teacher.ts';
import { recordingProxy } from '../../helpers/recording-proxy.ts';

const messages = [{ role: 'user' as const, content: 'Good morning' }];
const environment = { AZURE_KEY: 'secret', OPENAI_API_KEY: 'of another', OPENAI_ORG_ID: 'an organization' };

/** An Azure resource with one deployment and one key. */
async function azureResource() {
  const { teacher } = await runningTeacher();
  const { address, requests } = await recordingProxy(
    teacher.baseUrl,
    ({ url, headers }) =>
      url.startsWith('/openai/deployments/my-gpt/chat/completions?') && headers['api-key'] === 'secret',
  );
  const settings = {
    ...teacherSettings,
    baseUrl: `${address}/openai`,
    model: 'my-gpt',
    apiKeyVariable: 'AZURE_KEY',
  };
  return { settings, requests };
}

test('a request goes to the deployment, with the key and the version that Azure asks for', async () => {
  const { settings, requests } = await azureResource();
  const answer = await askTeacher(azureClient(settings, environment), messages, settings, { seed: 7 });
  expect(answer.text).toMatch(/local teacher/);
  const [sent] = requests;
  expect(sent?.url).toBe('/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21');
  expect(sent?.headers).toMatchObject({ 'api-key': 'secret' });
  expect(sent?.body).toMatchObject({ messages, seed: 7, max_tokens: settings.maximumTokens });
});

test("nothing of OpenAI's own account goes there", async () => {
  const { settings, requests } = await azureResource();
  await askTeacher(azureClient(settings, environment), messages, settings);
  expect(JSON.stringify(requests[0]?.headers)).not.toMatch(/of another|an organization/);
  expect(requests[0]?.headers.authorization).toBeUndefined();
});

test('another version can be asked for', async () => {
  const { settings, requests } = await azureResource();
  const newer = { ...settings, apiVersion: '2025-01-01-preview' };
  await askTeacher(azureClient(newer, environment), messages, newer);
  expect(requests[0]?.url).toMatch(/\?api-version=2025-01-01-preview$/);
});

test('a missing deployment says what to check, and is not retried', async () => {
  const { settings, requests } = await azureResource();
  const wrong = { ...settings, model: 'my-gtp' };
  await expect(askTeacher(azureClient(wrong, environment), messages, wrong)).rejects.toMatchObject({
    status: 404,
    retryable: false,
    message: expect.stringMatching(/Check teacher\.model and teacher\.baseUrl/),
  });
  expect(requests).toHaveLength(1);
});

test('without its address there is no client', () => {
  const create = () => azureClient(teacherSettings, { OPENAI_API_KEY: 'secret' });
  expect(create).toThrow(/teacher\.baseUrl.*azure/s);
});
