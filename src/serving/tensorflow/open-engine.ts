/** The engine on TensorFlow, within this process: models of the built-in families, and adapters over them. */
import { InputError } from '../../core/input-error.ts';
import { traceSlotDecoder } from '../../model/decoding/slot-decoder.ts';
import { readEndTokens } from '../../model/files/generation-config.ts';
import { headSize, type LlamaConfig } from '../../model/files/llama.ts';
import { readModelDirectory } from '../../model/files/model-directory.ts';
import { Program } from '../../model/ops/program.ts';
import { useComputeDtype } from '../../model/ops/tensorflow.ts';
import { specialIds } from '../../model/text/special-ids.ts';
import { loadTokenizer, type Tokenizer } from '../../model/text/tokenizer.ts';
import { frozenWeights, joinedName, loadWeights } from '../../trainer/jobs/frozen-weights.ts';
import { promptSettings } from '../../trainer/jobs/sequence.ts';
import type { ChatTurn, Engine } from '../engine.ts';
import type { ServeJob } from '../protocol.ts';
import { tokenQueue } from '../token-queue.ts';
import { readAdapters, stackAdapters } from './adapters.ts';
import { serveImages } from './images.ts';
import { chatIds, type Expected, imagesOfTurns } from './prompt.ts';
import { createScheduler } from './scheduler.ts';

const DEFAULT_CAPACITY = 2048;
const LOADED_AT_ONCE = 64 * 2 ** 20;
/** What keys and values of all slots may take. */
const CACHE_BYTES = 4 * 2 ** 30;
/** No text has so many for each of its tokens; one that is longer than they allow is refused before it is encoded. */
const CHARACTERS_OF_A_TOKEN = 64;

/**
 * Loads a model and its adapters.
 *
 * @throws InputError for a model or an adapter that can't be used
 */
export async function openTensorflowEngine(job: ServeJob): Promise<Engine> {
  const model = await readModelDirectory(job.model);
  const closing: (() => unknown)[] = [() => model.close()];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const text = model.config.text_config;
    const tokenizer = await loadTokenizer(job.model);
    const words = promptSettings(model, tokenizer, undefined, job.family?.promptForm);
    const { ends } = specialIds(text, tokenizer, await readEndTokens(job.model));
    const adapters = await readAdapters(model, job.adapters);
    const models = [job.name, ...adapters.keys()];
    if (adapters.has(job.name)) throw sameName(job.name);
    const images = await serveImages(model, [...adapters.values()], job.exif);
    closing.push(() => images.dispose());

    const capacity = job.capacity ?? Math.min(text.max_position_embeddings, DEFAULT_CAPACITY);
    const slots = Math.max(1, Math.min(job.slots, Math.floor(CACHE_BYTES / bytesOfSlot(text, capacity))));
    const program = new Program({ productType: useComputeDtype(job.computeDtype) });
    closing.push(() => program.dispose());
    const stacked = stackAdapters(program, [...adapters.values()]);
    const weights = frozenWeights(program, model, { weightDtype: job.weightDtype, use: 'forward' });
    const decoder = traceSlotDecoder(program, weights, model.config, {
      slots,
      capacity,
      adapters: stacked?.choose,
      joined: (names) => weights(joinedName(names)),
    });
    program.load();
    // Of a graph with so many functions each run of an assignment takes a while.
    await loadWeights(program, model, { groupBytes: LOADED_AT_ONCE });
    program.assignAll(stacked?.factors ?? new Map());
    decoder.clear();
    const tokenText = tokenTexts(tokenizer, (await tokenizer.encode('a'))[0]);
    const scheduler = createScheduler(decoder, {
      slots,
      ends: new Set(ends),
      decode: (tokens) => tokenizer.decode(tokens),
      tokenText,
    });
    closing.push(() => scheduler.close());

    const promptOf = async (name: string, turns: readonly ChatTurn[], expects: Expected) => {
      const adapter = models.indexOf(name);
      if (adapter < 0) throw unknownModel(name, models);
      requireShort(name, turns, capacity);
      const { tokenIds, images: places } = await chatIds(turns, words, { model: name, expects });
      const room = expects === 'question' ? capacity - 1 : capacity;
      if (tokenIds.length > room) throw tooLong(name, tokenIds.length, capacity);
      const shown = await Promise.all(imagesOfTurns(turns).map((image) => images.embed(image, adapter)));
      return {
        tokenIds,
        images: places.map((start, index) => ({ start, embeddings: shown[index] as Float32Array })),
        adapter,
      };
    };

    return {
      models,
      async *generate(request, signal) {
        signal?.throwIfAborted();
        const prompt = await promptOf(request.model, request.turns, 'question');
        const leaving = new AbortController();
        const queue = tokenQueue();
        const stopped = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
        const onAbort = () => queue.fail(stopped.reason);
        stopped.addEventListener('abort', onAbort, { once: true });
        scheduler.add({
          ...request,
          prompt,
          maxTokens: Math.min(request.maxTokens, capacity - prompt.tokenIds.length),
          stop: [...request.stop, words.form.endMark].filter((one) => one !== ''),
          separator: words.form.answerSeparator,
          signal: stopped,
          onTokens: (tokens) => queue.push(tokens),
          onEnd: (end) => queue.end(end),
          onError: (error) => queue.fail(error),
        });
        try {
          return yield* queue.read();
        } finally {
          stopped.removeEventListener('abort', onAbort);
          leaving.abort(new Error('nobody reads the answer any more'));
        }
      },
      async promptLogprobs({ model: name, turns, openEnd }, signal = new AbortController().signal) {
        signal.throwIfAborted();
        const prompt = await promptOf(name, turns, openEnd ? 'openAnswer' : 'anything');
        const found = await scheduler.score(prompt, signal);
        const isImage = (place: number) =>
          prompt.images.some(({ start }) => place >= start && place < start + words.queries);
        return {
          ids: prompt.tokenIds,
          tokens: prompt.tokenIds.map(tokenText),
          logprobs: prompt.tokenIds.map((_, place) =>
            place === 0 || isImage(place) ? null : (found[place - 1] as number),
          ),
        };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function bytesOfSlot(text: LlamaConfig, capacity: number): number {
  return 2 * 4 * text.num_hidden_layers * text.num_key_value_heads * headSize(text) * capacity;
}

/** The text of a token behind another one, where a tokenizer has a space before a word. */
function tokenTexts(tokenizer: Pick<Tokenizer, 'decode'>, other = 0): (token: number) => string {
  const before = tokenizer.decode([other]).length;
  const known = new Map<number, string>();
  return (token) => {
    const text = known.get(token) ?? tokenizer.decode([other, token]).slice(before);
    known.set(token, text);
    return text;
  };
}

function unknownModel(name: string, models: readonly string[]): InputError {
  return new InputError({
    file: name,
    field: 'model',
    problem: 'is no model that is served',
    remedy: `Take one of ${models.join(', ')}`,
  });
}

function requireShort(file: string, turns: readonly ChatTurn[], capacity: number): void {
  const texts = turns.flatMap(({ content }) => content.map((part) => (part.type === 'text' ? part.text.length : 0)));
  const characters = texts.reduce((sum, length) => sum + length, 0);
  if (characters <= CHARACTERS_OF_A_TOKEN * capacity) return;
  throw new InputError({
    file,
    field: 'messages',
    problem: `have ${characters} characters, and prompt and answer together may have ${capacity} tokens`,
    remedy: 'Ask for less',
  });
}

function tooLong(file: string, tokens: number, capacity: number): InputError {
  return new InputError({
    file,
    field: 'messages',
    problem: `have ${tokens} tokens with those of their images, and prompt and answer together may have ${capacity}`,
    remedy: 'Ask for less',
  });
}

function sameName(name: string): InputError {
  return new InputError({
    file: name,
    problem: 'is the name of the model and of an adapter',
    remedy: 'Give the adapter another name',
  });
}
