/**
 * Writes text after prompts: greedy, sampling or beam search, with a key-value cache.
 *
 * Greedy and beam search give the tokens that `generate` of transformers gives.
 */
import { seededRandom } from '../../core/seeded-random.ts';
import type { LlamaConfig } from '../files/llama.ts';
import type { Program } from '../ops/program.ts';
import type { Weights } from '../ops/tape.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { type BeamSearchState, beamSearch } from './beam-search.ts';
import { type Continuations, type Decoder, type DecoderPlan, type Prompt, traceDecoder } from './decoder.ts';
import { sampleToken } from './sample-token.ts';
import { type BeamSearch, checkDecodingSettings, type DecodingSettings } from './settings.ts';

export interface GenerationRequest extends Prompt {
  /** Random numbers depend on it, in sampling. */
  id: string;
}

export interface GeneratedText {
  /** The new tokens, with the end token or those of the stop string. */
  tokenIds: number[];
  /** Their text, without end token and stop string. */
  text: string;
  /** Why it ends: an end token, a stop string, or `maximumNewTokens`. */
  finish: 'end' | 'stop' | 'length';
  /** Beam search: the sum of the log probabilities over `length ** lengthPenalty`. */
  score?: number;
}

export interface TextGenerator {
  /**
   * Answers up to a batch of requests.
   *
   * @param images float32 `[images * imageTokens, hidden]`, padded to what the plan says; none without vision
   */
  generate(requests: readonly GenerationRequest[], images?: Float32Array): GeneratedText[];
}

/**
 * Traces text generation into a program that is not loaded yet.
 *
 * @param plan.promptLengths of the requests that will come, in tokens: their padded lengths are what is traced
 * @throws RangeError for settings that make no sense
 */
export function traceGenerator(
  program: Program,
  weights: Weights,
  config: { text_config: LlamaConfig },
  tokenizer: Pick<Tokenizer, 'decode'>,
  settings: DecodingSettings,
  plan: Pick<DecoderPlan, 'batch' | 'promptLengths' | 'imageTokens' | 'images'>,
): TextGenerator {
  checkDecodingSettings(settings);
  const { strategy, maximumNewTokens, endTokens } = settings;
  const candidateCount =
    strategy.kind === 'beam' ? beamSearch(strategy, endTokens.length, maximumNewTokens).candidateCount : 0;
  const decoder = traceDecoder(program, weights, config, { ...plan, maximumNewTokens, strategy, candidateCount });
  const ending = endingOf(tokenizer, settings);
  const { batch } = plan;
  return {
    generate(requests, images) {
      if (requests.length > batch) throw new RangeError(`${requests.length} requests for a batch of ${batch}`);
      if (requests.length === 0) return [];
      const first = decoder.prefill(requests, images);
      const vocabulary = config.text_config.vocab_size;
      return strategy.kind === 'beam'
        ? searchBeams({ decoder, first, batch, vocabulary, count: requests.length, strategy, settings, ending })
        : extendOneByOne({ decoder, first, batch, vocabulary, requests, settings, ending });
    },
  };
}

type Ending = (tokens: readonly number[]) => Pick<GeneratedText, 'text' | 'finish'> | undefined;

/** How a sequence of new tokens ends, undefined when it continues. */
function endingOf(tokenizer: Pick<Tokenizer, 'decode'>, settings: DecodingSettings): Ending {
  const { endTokens, stopStrings = [], maximumNewTokens } = settings;
  return (tokens) => {
    if (endTokens.includes(tokens.at(-1) as number)) {
      return { text: tokenizer.decode(tokens.slice(0, -1)), finish: 'end' };
    }
    if (stopStrings.length > 0) {
      // All of it is decoded anew: where a text ends within the tokens is known only from the whole.
      const text = textBeforeStop(tokenizer.decode(tokens), stopStrings);
      if (text !== undefined) return { text, finish: 'stop' };
    }
    return tokens.length >= maximumNewTokens ? { text: tokenizer.decode(tokens), finish: 'length' } : undefined;
  };
}

/** The text before the first of the stop strings in it; undefined when it has none. */
export function textBeforeStop(text: string, stopStrings: readonly string[]): string | undefined {
  const places = stopStrings.map((stop) => text.indexOf(stop)).filter((place) => place >= 0);
  return places.length === 0 ? undefined : text.slice(0, Math.min(...places));
}

interface Run {
  decoder: Decoder;
  /** What the prompts' last tokens lead to. */
  first: Continuations;
  batch: number;
  vocabulary: number;
  settings: DecodingSettings;
  ending: Ending;
}

/** Greedy and sampling: one token a sequence a step, until all have ended. */
function extendOneByOne(run: Run & { requests: readonly GenerationRequest[] }): GeneratedText[] {
  const { decoder, batch, vocabulary, requests, ending } = run;
  const { strategy } = run.settings;
  const sequences = requests.map(({ id }) => ({
    tokens: [] as number[],
    end: undefined as ReturnType<Ending>,
    random: strategy.kind === 'sample' ? seededRandom(strategy.seed).fork(id) : undefined,
  }));
  let continuations = run.first;
  for (;;) {
    const next = new Int32Array(batch);
    for (const [row, sequence] of sequences.entries()) {
      if (sequence.end) continue;
      const logits = continuations.logits?.subarray(row * vocabulary, (row + 1) * vocabulary);
      const token =
        strategy.kind === 'sample' && logits && sequence.random
          ? sampleToken(logits, strategy.temperature, strategy.topP, sequence.random.uniform())
          : (continuations.tokens?.[row] as number);
      next[row] = token;
      sequence.tokens.push(token);
      sequence.end = ending(sequence.tokens);
    }
    if (sequences.every(({ end }) => end)) break;
    continuations = decoder.step(next);
  }
  return sequences.map(({ tokens, end }) => ({ tokenIds: tokens, ...(end as NonNullable<typeof end>) }));
}

function searchBeams(run: Run & { count: number; strategy: BeamSearch }): GeneratedText[] {
  const { decoder, batch, vocabulary, count, strategy, settings, ending } = run;
  const { beams } = strategy;
  const searches = Array.from({ length: count }, () => ({
    state: beamSearch(strategy, settings.endTokens.length, settings.maximumNewTokens),
    isOver: false,
  }));
  const rows = batch * beams;
  const ends = (tokens: readonly number[]) => ending(tokens) !== undefined;
  let continuations = run.first;
  for (;;) {
    const tokens = new Int32Array(rows);
    const parents = Int32Array.from({ length: rows }, (_, row) => row);
    const scores = new Float32Array(rows);
    for (const [index, search] of searches.entries()) {
      if (search.isOver) continue;
      const step = search.state.advance(candidatesOf(continuations, index, search.state, vocabulary), ends);
      search.isOver = step.isOver;
      tokens.set(step.tokens, index * beams);
      scores.set(step.scores, index * beams);
      parents.set(
        step.parents.map((beam) => index * beams + beam),
        index * beams,
      );
    }
    if (searches.every(({ isOver }) => isOver)) break;
    continuations = decoder.step(tokens, { parents, scores });
  }
  return searches.map(({ state }) => {
    const { tokens, score } = state.best();
    const end = ending(tokens) as NonNullable<ReturnType<Ending>>;
    return { tokenIds: [...tokens], ...end, score };
  });
}

function candidatesOf({ scores, indices }: Continuations, prompt: number, state: BeamSearchState, vocabulary: number) {
  const count = state.candidateCount;
  return Array.from({ length: count }, (_, rank) => {
    const index = indices?.[prompt * count + rank] as number;
    return {
      beam: Math.floor(index / vocabulary),
      token: index % vocabulary,
      score: scores?.[prompt * count + rank] as number,
    };
  });
}
