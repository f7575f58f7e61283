/**
 * What of a config's `teacher` this library needs: where the teacher is, and how many requests it is asked.
 */
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
  budget?: { limit: number; whenReached: 'wait' | 'finish' } | undefined;
  batch: { requests: number; maxConcurrent: number; pollSeconds: number; maximumPollSeconds: number };
}
