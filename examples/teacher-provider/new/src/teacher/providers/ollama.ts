import { clientOptions, noAccount } from '../chat-client.ts';
import type { TeacherProvider } from '../provider.ts';
import { ForeignClient } from './openai.ts';

/** Where Ollama listens. */
const defaultBaseUrl = 'http://127.0.0.1:11434/v1';

/** A model that Ollama (https://ollama.com) runs on this machine: it takes no key, costs nothing and has no batches. */
export const ollama: TeacherProvider = {
  modes: ['online'],
  isPaid: false,
  answersAnyPrompt: true,
  connect: async (settings, work) =>
    work(
      new ForeignClient({
        ...clientOptions(settings),
        ...noAccount,
        baseURL: settings.baseUrl ?? defaultBaseUrl,
        // The client requires a key, but one for OpenAI must not go there.
        apiKey: 'ollama',
      }),
    ),
};
