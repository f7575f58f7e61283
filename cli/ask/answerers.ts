/** The one or two models of `dataengine ask`, loaded, with what each was told so far. */
import { join, resolve } from 'node:path';
import { fileExists } from '../../src/core/files.ts';
import type { ExifMode } from '../../src/core/images/image-kind.ts';
import { listedQuestion } from '../../src/datasets/question-text.ts';
import { servedModel } from '../../src/round/served-model.ts';
import type { ChatTurn, Engine, GenerationEnd } from '../../src/serving/engine.ts';
import { type EngineKind, type EngineSettings, nameOf, startEngine } from '../../src/serving/start-engine.ts';

export interface AskOptions {
  adapter?: string;
  compare?: string;
  round?: number;
  engine?: EngineKind;
  exif?: ExifMode;
  system?: string;
  maxTokens: number;
  temperature: number;
  topP: number;
  seed: number;
  stop: string[];
}

export interface Answerer {
  name: string;
  /**
   * Answers the next turn of the conversation; one that failed or was stopped is no part of it.
   *
   * @param images shown with the question, before its words
   * @param onText given the answer piece by piece
   */
  answer(
    question: string,
    images: readonly Uint8Array[],
    signal: AbortSignal,
    onText: (text: string) => void,
  ): Promise<{ text: string; finish: GenerationEnd['finish'] }>;
  /** Forgets the conversation. */
  forget(): void;
}

export interface Answerers {
  all: readonly Answerer[];
  close(): Promise<void>;
}

/**
 * Loads the models that the command names.
 *
 * @throws InputError for a path that is no model, or an adapter of another one
 */
export async function openAnswerers(path: string, options: AskOptions, signal: AbortSignal): Promise<Answerers> {
  const { adapter, compare, round, engine } = options;
  const model = await servedModel(path, round);
  // An adapter to compare with lies over the same model, which is loaded once.
  const comparesAdapter = compare !== undefined && (await isAdapter(compare));
  const adapters = {
    ...(adapter !== undefined && { [nameOf(resolve(adapter))]: adapter }),
    ...(comparesAdapter && { [unlike(nameOf(resolve(compare)), adapter)]: compare }),
  };
  const second = compare === undefined || comparesAdapter ? undefined : await servedModel(compare);
  const engines: Engine[] = [];
  const close = async () => {
    await Promise.all(engines.map((one) => one.close()));
  };
  const start = async ({ directory, name, tokenBoundaries, exif }: typeof model, more: Partial<EngineSettings>) => {
    const started = await startEngine(
      { model: directory, name, tokenBoundaries, engine, exif: options.exif ?? exif, slots: 2, ...more },
      signal,
    );
    engines.push(started);
    return started;
  };
  try {
    const first = await start(model, { adapters });
    const all = [answerer(first, first.models[adapter === undefined ? 0 : 1] as string, options)];
    if (comparesAdapter) all.push(answerer(first, first.models.at(-1) as string, options));
    if (second !== undefined) {
      const other = await start(second, {});
      all.push(answerer(other, other.models[0] as string, options));
    }
    return { all, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function isAdapter(folder: string): Promise<boolean> {
  return fileExists(join(folder, 'adapter_config.json'));
}

/** Two adapters may lie in folders of the same name. */
function unlike(name: string, other: string | undefined): string {
  return other !== undefined && nameOf(resolve(other)) === name ? `${name}-2` : name;
}

function answerer(engine: Engine, model: string, options: AskOptions): Answerer {
  const { maxTokens, temperature, topP, seed, stop, system } = options;
  const start = (): ChatTurn[] =>
    system === undefined ? [] : [{ role: 'system', content: [{ type: 'text', text: system }] }];
  let turns = start();
  return {
    name: model,
    async answer(question, images, signal, onText) {
      // As questions are trained on and evaluated, with a line of their own.
      const words = { type: 'text', text: listedQuestion(question) } as const;
      const shown = images.map((image) => ({ type: 'image', image }) as const);
      const asked: ChatTurn = { role: 'user', content: [...shown, words] };
      const request = { model, turns: [...turns, asked], maxTokens, temperature, topP, seed, stop };
      const tokens = engine.generate(request, signal);
      let text = '';
      for (;;) {
        const next = await tokens.next();
        if (next.done) {
          turns = [...turns, asked, { role: 'assistant', content: [{ type: 'text', text: text.trim() }] }];
          return { text: text.trim(), finish: next.value.finish };
        }
        text += next.value.text;
        onText(next.value.text);
      }
    },
    forget() {
      turns = start();
    },
  };
}
