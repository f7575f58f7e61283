/**
 * Starts an engine in a child process of its own. It leads a process group, ends when this process does, however that ends, and
 * is recorded in its folder as a trainer is, so that a later start in the same folder ends one that was left behind.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../core/child-environment.ts';
import { InputError } from '../core/input-error.ts';
import { signalGroup } from '../core/process-identity.ts';
import type { TokenBoundaries } from '../model/families/prompt-form.ts';
import { isOfBuiltInFamily } from '../model/files/model-config.ts';
import { jobFileName, killPreviousTrainer, lowerFence, raiseFence, watchFence } from '../trainer/supervisor/fence.ts';
import { type TrainerCommand, torchEngine, typescriptTrainer } from '../trainer/supervisor/trainer-command.ts';
import { TrainerError } from '../trainer/supervisor/trainer-error.ts';
import { openTrainerLog, type TrainerLog } from '../trainer/supervisor/trainer-log.ts';
import { withFamily } from '../trainer/supervisor/trainer-step.ts';
import type { ChatTurn, Engine, PromptLogprobs } from './engine.ts';
import { removeLeftFolders } from './left-folders.ts';
import {
  type EngineFailure,
  type EngineMessage,
  type EngineRequest,
  parseEngineLine,
  type ServeJob,
  temporaryFolder,
} from './protocol.ts';
import { type TokenQueue, tokenQueue } from './token-queue.ts';

export type EngineKind = 'tensorflow' | 'torch';

export interface EngineSettings extends Partial<Omit<ServeJob, 'kind' | 'model' | 'family'>> {
  /** Directory of a merged or a base model. Its name is `name`; default: the directory's. */
  model: string;
  /** Default: tensorflow for the families that are implemented here, torch for all others. */
  engine?: EngineKind | undefined;
  /** As the model was trained; default: separate. */
  tokenBoundaries?: TokenBoundaries | undefined;
  /** For the process's log and record; no other engine or trainer may run for it. Default: a temporary one. */
  directory?: string | undefined;
}

const DEFAULT_SLOTS = 8;
const graceMilliseconds = 5000;

/**
 * Starts an engine, and waits until its model is loaded.
 *
 * @param signal ends the start; the engine that was started is ended by `close`
 * @throws InputError for a model or an adapter that can't be served
 * @throws TrainerError when the process fails (kind `input` from PyTorch's side)
 * @example
 * const engine = await startEngine({ model: 'data/stage1', adapters: { fine: 'runs/demo/round-0/finetune' } });
 */
export async function startEngine(settings: EngineSettings, signal?: AbortSignal): Promise<Engine> {
  signal?.throwIfAborted();
  const { engine, tokenBoundaries, directory: given, ...rest } = settings;
  const model = resolve(rest.model);
  const kind = engine ?? ((await isOfBuiltInFamily(model)) ? 'tensorflow' : 'torch');
  const job: ServeJob = await withFamily(
    {
      slots: DEFAULT_SLOTS,
      name: nameOf(model),
      ...rest,
      adapters: Object.fromEntries(
        Object.entries(rest.adapters ?? {}).map(([name, folder]) => [name, resolve(folder)]),
      ),
      kind: 'serve' as const,
      model,
    },
    tokenBoundaries,
  );
  const command = kind === 'torch' ? await torchEngine() : tensorflowEngine();
  if (given === undefined) await removeLeftFolders();
  const directory = given ?? (await mkdtemp(join(tmpdir(), temporaryFolder)));
  const remove = async () => {
    if (given === undefined) await rm(directory, { recursive: true, force: true });
  };
  try {
    await killPreviousTrainer(directory);
    await mkdir(directory, { recursive: true });
    const jobFile = join(directory, jobFileName);
    await writeFile(jobFile, `${JSON.stringify(job, null, 2)}\n`);
    const child = spawn(command.program, [...command.arguments, jobFile], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: childEnvironment(command.environment),
    });
    return await connect(child, { directory, remove, signal });
  } catch (error) {
    await remove();
    throw error;
  }
}

function tensorflowEngine(): TrainerCommand {
  const { environment, ...command } = typescriptTrainer(fileURLToPath(new URL('tensorflow/main.ts', import.meta.url)));
  return {
    ...command,
    environment: {
      // The operations of a token follow one another: handing them from thread to thread takes longer than they do.
      TF_NUM_INTEROP_THREADS: process.env.TF_NUM_INTEROP_THREADS ?? '1',
      // A token reads all weights: with pages of 2 MiB the processor looks few addresses up.
      GLIBC_TUNABLES: [process.env.GLIBC_TUNABLES, 'glibc.malloc.hugetlb=1'].filter(Boolean).join(':'),
      ...environment,
    },
  };
}

/** A model's name for people: that of its directory; for a `merged` those of the two above, a run's and its round's. */
export function nameOf(directory: string): string {
  const parts = directory.split(/[\\/]/).filter((part) => part !== '');
  const name = parts.at(-1) ?? '';
  return (name === 'merged' && parts.slice(-3, -1).join('-')) || name;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Waiting {
  tokens?: TokenQueue;
  resolve?: (result: PromptLogprobs) => void;
  fail(error: unknown): void;
}

async function connect(
  child: Child,
  { directory, remove, signal }: { directory: string; remove: () => Promise<void>; signal: AbortSignal | undefined },
): Promise<Engine> {
  const log = openTrainerLog(directory);
  const waiting = new Map<number, Waiting>();
  let next = 0;
  let ended: unknown;
  let models: readonly string[] = [];
  let started: { resolve(): void; reject(error: unknown): void } | undefined;
  const kill = () => {
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
  };
  const end = (error: unknown) => {
    ended ??= error;
    started?.reject(ended);
    for (const one of waiting.values()) one.fail(ended);
    waiting.clear();
  };
  const onMessage = (message: EngineMessage) => {
    if (message.type === 'ready') {
      models = message.models;
      return started?.resolve();
    }
    if (message.type === 'failed' && message.id === undefined) return end(errorOf(message.error));
    const one = waiting.get(message.id as number);
    if (one === undefined) return;
    if (message.type === 'tokens') return one.tokens?.push(message.tokens);
    waiting.delete(message.id as number);
    if (message.type === 'end') one.tokens?.end(message.end);
    else if (message.type === 'logprobs') one.resolve?.(message.result);
    else one.fail(errorOf(message.error));
  };
  child.stdin.on('error', () => undefined);
  const read = Promise.all([readLines(child.stdout, log, onMessage), readLines(child.stderr, log)]);
  let stopWatching: () => void = () => undefined;
  let raised: Promise<void> = Promise.resolve();
  const gone = new Promise<void>((resolveGone) => {
    const finish = async (how: string) => {
      kill();
      await Promise.allSettled([read, raised]);
      stopWatching();
      if (child.pid !== undefined) await lowerFence(directory, child.pid);
      const message = `the engine ${how}; its last lines:\n${log.lastLines()}`;
      end(new TrainerError({ kind: 'crashed', retryable: true, message }));
      await log.close();
      await remove();
      resolveGone();
    };
    child.once('error', (error) => void finish(`could not be started: ${error.message}`));
    child.once(
      'exit',
      (code, killedBy) => void finish(killedBy ? `was ended by ${killedBy}` : `exited with code ${code}`),
    );
  });
  const close = async () => {
    ended ??= new Error('the engine is closed');
    child.stdin.end();
    const timer = setTimeout(kill, graceMilliseconds);
    await gone;
    clearTimeout(timer);
  };

  const send = (message: EngineRequest) => child.stdin.write(`${JSON.stringify(message)}\n`);
  const onAbort = () => end(signal?.reason);
  try {
    await new Promise<void>((resolveStart, reject) => {
      started = { resolve: resolveStart, reject };
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else if (child.pid !== undefined) {
        const { pid } = child;
        raised = raiseFence(directory, pid).then(() => {
          stopWatching = watchFence(directory, pid, kill);
        });
        void raised.catch(end);
      }
    });
  } catch (error) {
    kill();
    await gone;
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }

  /** Sends a request; what is returned takes it back. */
  const open = (one: Waiting, message: (id: number) => EngineRequest, stop: AbortSignal | undefined) => {
    stop?.throwIfAborted();
    if (ended !== undefined) throw ended;
    const id = next++;
    const cancel = () => {
      if (!waiting.delete(id)) return;
      send({ type: 'cancel', id });
      one.fail(stop?.reason ?? new Error('nobody reads the answer any more'));
    };
    waiting.set(id, one);
    send(message(id));
    stop?.addEventListener('abort', cancel, { once: true });
    return () => {
      stop?.removeEventListener('abort', cancel);
      cancel();
    };
  };

  return {
    models,
    get hasEnded() {
      return ended !== undefined;
    },
    async *generate(request, stop) {
      const tokens = tokenQueue();
      const leave = open(
        { tokens, fail: tokens.fail },
        (id) => ({ type: 'generate', id, request: { ...request, turns: turnsOf(request.turns) } }),
        stop,
      );
      try {
        return yield* tokens.read();
      } finally {
        leave();
      }
    },
    async promptLogprobs({ model, turns, openEnd }, stop) {
      let leave: (() => void) | undefined;
      try {
        return await new Promise((resolveResult, fail) => {
          leave = open(
            { resolve: resolveResult, fail },
            (id) => ({ type: 'prompt', id, request: { model, turns: turnsOf(turns), openEnd } }),
            stop,
          );
        });
      } finally {
        leave?.();
      }
    },
    close,
  };
}

function turnsOf(turns: readonly ChatTurn[]): Extract<EngineRequest, { type: 'prompt' }>['request']['turns'] {
  return turns.map(({ role, content }) => ({
    role,
    content: content.map((part) =>
      part.type === 'text' ? part : { type: 'image', image: Buffer.from(part.image).toString('base64') },
    ),
  }));
}

function errorOf(failure: EngineFailure): Error {
  if (failure.kind !== 'input') return new TrainerError({ ...failure, retryable: failure.kind === 'internal' });
  const { kind: _, ...problem } = failure;
  return new InputError(problem);
}

async function readLines(
  stream: Readable,
  log: TrainerLog,
  onMessage?: (message: EngineMessage) => void,
): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    const message = onMessage === undefined ? undefined : parseEngineLine(line);
    if (message === undefined) log.write(line);
    else onMessage?.(message);
  }
}
