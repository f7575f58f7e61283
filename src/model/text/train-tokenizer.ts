import path from 'node:path';
import { writeJson } from '../../core/write-file.ts';
import { characterOfByte, toByteCharacters, wordPattern } from './byte-alphabet.ts';

/** Special tokens; the place in the list is the id. */
const specialTokens = ['<s>', '</s>', '<pad>', '<ImageHere>'] as const;

/** The content of a `tokenizer.json` with a byte-level BPE model, as Hugging Face's `tokenizers` write it. */
export interface TokenizerJson {
  version: '1.0';
  added_tokens: { id: number; content: string; special: boolean; [flag: string]: unknown }[];
  model: { type: 'BPE'; vocab: Record<string, number>; merges: [string, string][]; [setting: string]: unknown };
  [part: string]: unknown;
}

/**
 * Learns a byte-level BPE tokenizer as GPT-2's: ids 0 to 3 are the special tokens, then come the 256 bytes,
 * then one token a merge, the most frequent pair first (of equally frequent ones the pair of lowest ids).
 * Pairs that occur once are not merged, so a small corpus may give fewer tokens than requested.
 * Special tokens in the texts are left out. The same texts give the same tokenizer.
 *
 * Source: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909; tie-breaks as in Hugging Face's `BpeTrainer`.
 *
 * @throws Error if `vocabularySize` is too small for the special tokens and the bytes.
 */
export function trainTokenizer(texts: Iterable<string>, vocabularySize: number): TokenizerJson {
  const tokens: string[] = [...specialTokens, ...characterOfByte.toSorted(byCodePoint)];
  if (vocabularySize < tokens.length) {
    throw new Error(`a vocabulary of ${vocabularySize} is too small: special tokens and bytes take ${tokens.length}`);
  }
  const idOfByte = new Map(tokens.map((token, id) => [token, id]));
  const words = [...countWords(texts)].map(([text, count]) => ({
    ids: toByteCharacters(text).map((character) => idOfByte.get(character) as number),
    count,
  }));
  const pairs = indexPairs(words);

  const merges: [string, string][] = [];
  while (tokens.length < vocabularySize) {
    const best = mostFrequent(pairs);
    if (!best) break;
    const merged = tokens.length;
    const leftToken = tokens[best.left] as string;
    const rightToken = tokens[best.right] as string;
    tokens.push(leftToken + rightToken);
    merges.push([leftToken, rightToken]);
    for (const word of [...best.words]) {
      updatePairs(pairs, word, -1);
      word.ids = mergePair(word.ids, best, merged);
      updatePairs(pairs, word, 1);
    }
  }
  return toTokenizerJson(tokens, merges);
}

/**
 * Writes the three files by which `AutoTokenizer.from_pretrained` opens a model directory:
 * `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
 *
 * @param maximumLength the longest text in tokens that the model takes
 */
export async function writeTokenizer(
  directory: string,
  tokenizer: TokenizerJson,
  maximumLength: number,
): Promise<void> {
  const [bos_token, eos_token, pad_token, image_token] = tokenizer.added_tokens.map(({ content }) => content);
  const special = { bos_token, eos_token, pad_token, additional_special_tokens: [image_token] };
  await writeJson(path.join(directory, 'tokenizer.json'), tokenizer);
  await writeJson(path.join(directory, 'special_tokens_map.json'), special);
  await writeJson(path.join(directory, 'tokenizer_config.json'), {
    ...special,
    clean_up_tokenization_spaces: false,
    model_max_length: maximumLength,
    tokenizer_class: 'PreTrainedTokenizerFast',
  });
}

interface Word {
  ids: number[];
  count: number;
}

interface Pair {
  left: number;
  right: number;
  count: number;
  words: Set<Word>;
}

/** Pairs of neighbors by their key, `pairKey(left, right)`. */
type Pairs = Map<number, Pair>;

const pairKey = (left: number, right: number) => left * 2 ** 24 + right;

function countWords(texts: Iterable<string>): Map<string, number> {
  const atSpecialTokens = new RegExp(specialTokens.join('|'), 'g');
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const part of text.split(atSpecialTokens)) {
      for (const word of part.match(wordPattern) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

function indexPairs(words: readonly Word[]): Pairs {
  const pairs: Pairs = new Map();
  for (const word of words) updatePairs(pairs, word, 1);
  return pairs;
}

/** Adds the pairs of a word to the counts, or takes them away. */
function updatePairs(pairs: Pairs, word: Word, sign: 1 | -1): void {
  for (let index = 1; index < word.ids.length; index++) {
    const left = word.ids[index - 1] as number;
    const right = word.ids[index] as number;
    const key = pairKey(left, right);
    const pair = pairs.get(key) ?? { left, right, count: 0, words: new Set<Word>() };
    pair.count += sign * word.count;
    if (sign === 1) pair.words.add(word);
    else pair.words.delete(word);
    if (pair.count > 0) pairs.set(key, pair);
    else pairs.delete(key);
  }
}

// A heap would find it faster, but with the few thousand pairs of a small corpus a look at all is fast enough.
function mostFrequent(pairs: Pairs): Pair | undefined {
  let best: Pair | undefined;
  for (const pair of pairs.values()) {
    if (pair.count < 2 || (best && pair.count < best.count)) continue;
    const comesFirst =
      best && pair.count === best.count && pairKey(pair.left, pair.right) > pairKey(best.left, best.right);
    if (!comesFirst) best = pair;
  }
  return best;
}

function mergePair(ids: readonly number[], pair: Pair, merged: number): number[] {
  const result: number[] = [];
  for (let index = 0; index < ids.length; index++) {
    const isPair = ids[index] === pair.left && ids[index + 1] === pair.right;
    result.push(isPair ? merged : (ids[index] as number));
    if (isPair) index++;
  }
  return result;
}

function byCodePoint(one: string, other: string): number {
  return (one.codePointAt(0) as number) - (other.codePointAt(0) as number);
}

function toTokenizerJson(tokens: readonly string[], merges: [string, string][]): TokenizerJson {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}
