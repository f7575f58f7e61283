import { onTestFinished } from 'vitest';
import { type WordsEngine, wordsEngine } from '../../bench/support/words-engine.ts';
import { type ChatServer, type ChatServerSettings, serveChat } from '../../src/serving/chat-server.ts';

/** A server of the engine for one test. */
export async function serveWords({
  delay = 0,
  ...settings
}: Partial<ChatServerSettings> & { delay?: number } = {}): Promise<{
  engine: WordsEngine;
  server: ChatServer;
  address: string;
  reported: unknown[];
}> {
  const engine = wordsEngine({ delay });
  const reported: unknown[] = [];
  const server = await serveChat(engine, {
    ...{ host: '127.0.0.1', port: 0, mostAnswers: 64, bodyBytes: 8_000_000, imagePixels: 1_000_000 },
    ...{ defaultMaxTokens: 100, report: (error) => reported.push(error) },
    ...settings,
  });
  onTestFinished(() => server.close(0));
  return { engine, server, address: server.address, reported };
}

/** What an answer of the server has. */
export interface Completion {
  model: string;
  choices: { message: { content: string }; finish_reason: string; logprobs: unknown }[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  prompt_logprobs?: unknown;
  error?: { message: string; type: string; param: string | null; code: string | null };
}

export const question = (text: string) => ({ model: 'base', messages: [{ role: 'user', content: text }] });

/** Posts a request as it is. */
export async function post(
  address: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; json: Completion }> {
  const response = await fetch(`${address}v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as Completion };
}
