import type { OpenAI } from 'openai';
import type { ApiKeyPlace } from './api-key.ts';
import type { Rate } from './pacer.ts';

/** What connecting to a teacher takes: a part of the config's `teacher`, and the run's seed. */
export interface ConnectionSettings extends ApiKeyPlace {
  /** Where the server is, when it is not where the provider's usually is. */
  baseUrl?: string | undefined;
  /** The version of the protocol, such as `2024-10-21`. */
  apiVersion?: string | undefined;
  requestTimeoutSeconds: number;
  mistakeRate?: number;
  seed?: number;
}

/** How many requests are asked: each by itself, or in batches of the Batch API. */
export type TeacherModeName = 'online' | 'batch';

/** The config's `teacher`. */
export interface TeacherSettings extends ConnectionSettings {
  provider: string;
  mode: TeacherModeName;
  model: string;
  /** The file of prices. */
  prices: string;
  /** Open requests, over all workers. */
  concurrency: number;
  chunkRequests: number;
  maxConcurrentChunks: number;
  limits: Rate;
  budget?: { limit: number | 'none'; whenReached: 'wait' | 'finish' } | undefined;
  batch: { requests: number; maxConcurrent: number; pollSeconds: number; maximumPollSeconds: number };
}

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
  /** Whether it also takes a `teacher.model` that its list of models does not have, such as the name of a deployment. */
  takesUnlistedModels?: true;
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
