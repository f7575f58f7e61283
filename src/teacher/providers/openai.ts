import { OpenAI } from 'openai';
import { readApiKey } from '../api-key.ts';
import { clientOptions } from '../chat-client.ts';
import type { ConnectionSettings, TeacherProvider } from '../provider.ts';

/** OpenAI, or with `teacher.baseUrl` any server that speaks its protocol and takes a key. */
export const openai: TeacherProvider = {
  modes: ['online', 'batch'],
  isPaid: true,
  answersAnyPrompt: true,
  connect: async (settings, work) => work(openaiClient(settings)),
};

/** @throws InputError when the key is missing */
export function openaiClient(
  settings: ConnectionSettings,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): OpenAI {
  // Undefined would let the client take it from the environment.
  const baseURL = settings.baseUrl ?? 'https://api.openai.com/v1';
  return new OpenAI({
    ...clientOptions(settings),
    apiKey: readApiKey(settings, baseURL, environment),
    baseURL,
    organization: environment.OPENAI_ORG_ID ?? null,
    project: environment.OPENAI_PROJECT_ID ?? null,
  });
}
