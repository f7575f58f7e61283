import type { OpenAI } from 'openai';
import { clientOptions, noAccount } from '../../src/teacher/chat-client.ts';
import type { ConnectionSettings, TeacherProvider } from '../../src/teacher/provider.ts';
import { ForeignClient } from '../../src/teacher/providers/openai.ts';

/**
 * The rule-based teacher of the demo. One is started on this machine for each piece of work, unless `teacher.baseUrl`
 * names one that runs; batches take one that runs, since it keeps them in memory.
 */
export const localTeacher: TeacherProvider = {
  modes: ['online', 'batch'],
  isPaid: false,
  answersAnyPrompt: false,
  // It answers by the same rules whatever it is called.
  takesUnlistedModels: true,
  author: 'local rules',
  async connect(settings, work) {
    const { baseUrl, mistakeRate, seed } = settings;
    if (baseUrl !== undefined) return work(localClient(settings, baseUrl));
    // Loaded when it is needed: most commands ask no teacher.
    const { startLocalTeacher } = await import('./server.ts');
    const server = await startLocalTeacher({ mistakeRate, seed });
    try {
      return await work(localClient(settings, server.baseUrl));
    } finally {
      await server.close();
    }
  },
};

/** A client for a local teacher that runs. A key for OpenAI must not reach it by accident, so it gets none. */
export function localClient(settings: Pick<ConnectionSettings, 'requestTimeoutSeconds'>, baseURL: string): OpenAI {
  return new ForeignClient({ ...clientOptions(settings), ...noAccount, apiKey: 'local-teacher', baseURL });
}
