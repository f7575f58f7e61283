import { AzureOpenAI } from 'openai';
import { InputError } from '../../core/input-error.ts';
import { readApiKey } from '../api-key.ts';
import { clientOptions, noAccount } from '../chat-client.ts';
import type { ConnectionSettings, TeacherProvider } from '../provider.ts';

/** Azure OpenAI: `teacher.model` names the deployment, `teacher.baseUrl` the resource. */
export const azure: TeacherProvider = {
  modes: ['online', 'batch'],
  isPaid: true,
  answersAnyPrompt: true,
  takesUnlistedModels: true,
  connect: async (settings, work) => work(azureClient(settings)),
};

/** @throws InputError when the key or the address of the resource is missing */
export function azureClient(
  settings: ConnectionSettings,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): AzureOpenAI {
  const { baseUrl, apiVersion = '2024-10-21' } = settings;
  if (!baseUrl) {
    throw new InputError({
      file: 'config',
      field: 'teacher.baseUrl',
      problem: 'is missing, and the provider azure has no address without it',
      remedy: 'Give the address of the Azure resource, such as https://my-resource.openai.azure.com/openai',
    });
  }
  const apiKey = readApiKey(settings, baseUrl, environment);
  return new AzureClient({ ...clientOptions(settings), ...noAccount, apiKey, baseURL: baseUrl, apiVersion });
}

/** Without the headers of OPENAI_CUSTOM_HEADERS, which the library would send. */
class AzureClient extends AzureOpenAI {
  constructor(options: ConstructorParameters<typeof AzureOpenAI>[0] & object) {
    super(options);
    this._options.defaultHeaders = options.defaultHeaders;
  }
}
