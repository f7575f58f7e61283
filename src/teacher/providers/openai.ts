import { type ClientOptions, OpenAI } from 'openai';
import { readApiKey } from '../api-key.ts';
import { clientOptions, isOpenAi, noAccount } from '../chat-client.ts';
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
  const options = {
    ...clientOptions(settings),
    ...noAccount,
    apiKey: readApiKey(settings, baseURL, environment),
    baseURL,
  };
  if (!isOpenAi(baseURL)) return new ForeignClient(options);
  const { OPENAI_ORG_ID: organization = null, OPENAI_PROJECT_ID: project = null } = environment;
  return new OpenAI({ ...options, organization, project });
}

/** A client of a server that is not OpenAI's: the library would send it the headers of OPENAI_CUSTOM_HEADERS. */
export class ForeignClient extends OpenAI {
  constructor(options: ClientOptions) {
    super(options);
    this._options.defaultHeaders = options.defaultHeaders;
  }
}
