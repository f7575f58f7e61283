/**
 * How a merged model is asked, in the files that `transformers` and servers read: `chat_template.jinja`, `generation_config.json`,
 * and what `AutoProcessor` needs to take as many tokens for an image as the model. Only for the families of
 * `src/model/families/`: of others the trainer on PyTorch writes them (src/trainer/torch/asking.py).
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { readSettings } from '../../core/read-json.ts';
import { writeFileAtomically, writeJson } from '../../core/write-file.ts';
import { chatTemplate } from '../families/chat-template.ts';
import { familyOf } from '../families/index.ts';
import { specialIds } from '../text/special-ids.ts';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts';
import { readEndTokens } from './generation-config.ts';
import { isOfBuiltInFamily, readModelConfig } from './model-config.ts';

/** Fields of `generation_config.json` about how tokens are drawn and sequences followed: what is written is greedy. */
const ofSampling = [
  ...['temperature', 'top_k', 'top_p', 'min_p', 'top_h', 'typical_p', 'epsilon_cutoff', 'eta_cutoff'],
  ...['num_beams', 'num_beam_groups', 'diversity_penalty', 'length_penalty', 'early_stopping', 'num_return_sequences'],
  // With it, transformers overwrites what the file says by the fields of config.json.
  '_from_model_config',
];

/** A file of settings of which all is kept but what is written anew. */
const contentSchema = z.record(z.string(), z.unknown());

/**
 * Writes them into a model directory of a family that is implemented here, over what its base model brought. Of others, and
 * without a tokenizer, it writes nothing.
 *
 * @throws InputError for a damaged file
 */
export async function writeAskingFiles(directory: string): Promise<void> {
  const has = (name: string) => fileExists(path.join(directory, name));
  // A trainer of one's own may have models of a kind of its own.
  if (!(await has('config.json')) || !(await has('tokenizer.json')) || !(await isOfBuiltInFamily(directory))) return;
  const { text_config: text, ...config } = await readModelConfig(directory);
  const family = familyOf({ ...config, text_config: text });
  const tokenizer = await loadTokenizer(directory);
  const { begin, ends, pad } = specialIds(text, tokenizer, await ownEnds(directory));
  const template = chatTemplate(family.promptForm, await beginExpression(tokenizer, begin));
  await writeFileAtomically(path.join(directory, 'chat_template.jinja'), template);
  // Where it is, transformers reads it instead.
  await rm(path.join(directory, 'chat_template.json'), { force: true });
  await changeSettings(path.join(directory, 'tokenizer_config.json'), ({ chat_template: _, ...content }) => ({
    ...content,
    // Other classes make a tokenizer of their own from parts of tokenizer.json; training reads that file as it is.
    tokenizer_class: 'PreTrainedTokenizerFast',
  }));
  const { processorFields } = family;
  const processor = path.join(directory, 'processor_config.json');
  if (processorFields !== undefined || (await fileExists(processor))) {
    await changeSettings(processor, ({ chat_template: _, ...content }) => ({ ...content, ...processorFields }));
  }
  await changeSettings(path.join(directory, 'generation_config.json'), (content) => ({
    ...Object.fromEntries(Object.entries(content).filter(([field]) => !ofSampling.includes(field))),
    bos_token_id: begin,
    eos_token_id: ends.length === 1 ? ends[0] : ends,
    pad_token_id: pad,
    do_sample: false,
  }));
}

/** None where the model's own say something that is not followed here; see `readEndTokens`. */
async function ownEnds(directory: string): Promise<number[] | undefined> {
  const file = path.join(directory, 'generation_config.json');
  if (!(await fileExists(file))) return readEndTokens(directory).catch(() => undefined);
  const { eos_token_id } = await readSettings(file, z.looseObject({ eos_token_id: endsSchema }));
  return eos_token_id === null || eos_token_id === undefined ? undefined : [eos_token_id].flat();
}

const endsSchema = z.union([z.number().int(), z.array(z.number().int())]).nullish();

/**
 * What a template writes for the begin token: servers put none before a text that a template made, and transformers none
 * before one that begins with it. A tokenizer may read words otherwise behind a token that is written out; then the tokenizer
 * has to put it there itself.
 */
async function beginExpression(tokenizer: Tokenizer, begin: number): Promise<string | undefined> {
  const words = 'USER: a';
  const wanted = [begin, ...(await tokenizer.encode(words))].join();
  const token = tokenizer.decode([begin]);
  const isWritten = (await tokenizer.encode(token + words)).join() === wanted;
  const isAdded = (await tokenizer.encodeWhole(words)).join() === wanted;
  if (isAdded && !(isWritten && tokenizer.namesBegin)) return undefined;
  return tokenizer.namesBegin ? 'bos_token' : JSON.stringify(token);
}

async function changeSettings(
  file: string,
  change: (content: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  await writeJson(file, change((await fileExists(file)) ? await readSettings(file, contentSchema) : {}));
}
