import type { OpenAI } from 'openai';
import type { Rate } from './pacer.ts';
import type { ConnectionSettings, TeacherModeName } from './settings.ts';

/**
 * A service that runs teachers: all that this program knows about it. Requests are those of the chat-completions
 * protocol; a service with another one gives a client whose `fetch` translates.
 */
export interface TeacherProvider {
  /** The ways to ask many requests that it has. */
  modes: readonly TeacherModeName[];
  /** Whether its tokens cost money. Prices of one that is free only serve to try a budget. */
  isPaid: boolean;
  /** False for one that knows this program's prompts only: rules do what else a teacher is asked for. */
  answersAnyPrompt: boolean;
  /** How a dataset version names the author of its samples; default: the model. */
  author?: string;
  /** Limits of the service that hold where the config sets none. */
  limits?: Rate;
  /**
   * Gives the work a client, and starts and stops what that takes.
   *
   * @throws InputError when the key or the address is missing
   */
  connect<R>(settings: ConnectionSettings, work: (client: OpenAI) => Promise<R>): Promise<R>;
}
