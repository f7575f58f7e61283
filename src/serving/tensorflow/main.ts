/** The process of an engine on TensorFlow; see `src/serving/protocol.ts`. */
import { readFileSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { InputError } from '../../core/input-error.ts';
import { parseJson } from '../../core/read-json.ts';
import type { ChatTurn, Engine } from '../engine.ts';
import {
  type EngineFailure,
  type EngineMessage,
  type EngineRequest,
  engineRequestSchema,
  serveJobSchema,
  temporaryFolder,
} from '../protocol.ts';
import { openTensorflowEngine } from './open-engine.ts';

/** Standard output is a pipe, which Node writes synchronously on Linux and macOS. */
const send = (message: EngineMessage) => process.stdout.write(`${JSON.stringify(message)}\n`);

function failure(error: unknown): EngineFailure {
  if (error instanceof InputError) {
    const { file, field, problem, remedy } = error;
    return { kind: 'input', file, problem, remedy, ...(field !== undefined && { field }) };
  }
  const message = error instanceof Error ? error.message : String(error);
  const kind = /OOM|out of memory|ResourceExhausted|bad_alloc/i.test(message) ? 'memory' : 'internal';
  return { kind, message };
}

type Turns = Extract<EngineRequest, { type: 'prompt' }>['request']['turns'];

const turnsOf = (turns: Turns): ChatTurn[] =>
  turns.map(({ role, content }) => ({
    role,
    content: content.map((part) =>
      part.type === 'text' ? part : { type: 'image', image: Buffer.from(part.image, 'base64') },
    ),
  }));

async function answer(engine: Engine, message: Exclude<EngineRequest, { type: 'cancel' }>, signal: AbortSignal) {
  const { id, request } = message;
  const turns = turnsOf(request.turns);
  if (message.type === 'prompt') {
    send({ type: 'logprobs', id, result: await engine.promptLogprobs({ ...message.request, turns }, signal) });
    return;
  }
  const tokens = engine.generate({ ...message.request, turns }, signal);
  for (;;) {
    const next = await tokens.next();
    if (next.done) return void send({ type: 'end', id, end: next.value });
    send({ type: 'tokens', id, tokens: [next.value] });
  }
}

async function main(): Promise<void> {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: engine <job.json>');
  const leave = () => {
    const folder = dirname(file);
    if (basename(folder).startsWith(temporaryFolder)) rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  };
  process.stdin.on('end', leave);
  process.stdin.on('error', leave);
  // Whoever read the answers may be gone before the end of the input is seen.
  process.stdout.on('error', leave);
  process.stderr.on('error', leave);
  const lines = createInterface({ input: process.stdin });
  const running = new Map<number, AbortController>();
  const engine = await openTensorflowEngine(parseJson(readFileSync(file, 'utf8'), file, serveJobSchema));
  lines.on('line', (line) => {
    const message = engineRequestSchema.parse(JSON.parse(line));
    if (message.type === 'cancel') return running.get(message.id)?.abort(new Error('canceled'));
    const abort = new AbortController();
    running.set(message.id, abort);
    void answer(engine, message, abort.signal)
      .catch((error: unknown) => send({ type: 'failed', id: message.id, error: failure(error) }))
      .finally(() => running.delete(message.id));
  });
  send({ type: 'ready', models: [...engine.models] });
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof InputError ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  send({ type: 'failed', error: failure(error) });
  process.exit(1);
});
