/** The tokenizer of the whole, which is the LLaMA's, and the ids that the configs take from it. */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { fileExists } from '../../../../core/files.ts';
import { InputError } from '../../../../core/input-error.ts';
import { readSettings } from '../../../../core/read-json.ts';
import { type NamedIds, specialIds } from '../../../text/special-ids.ts';
import { loadTokenizer, type Tokenizer } from '../../../text/tokenizer.ts';
import type { FindPython } from './tensor-source.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../../../../../scripts/python/convert-tokenizer.py', import.meta.url));

/**
 * @returns the tokenizer, and the bytes of a `tokenizer.json` made from `tokenizer.model` where only that is there
 * @throws InputError for a directory without a tokenizer, or with one that can't be used
 */
export async function assembledTokenizer(
  llama: string,
  python: FindPython,
): Promise<{ tokenizer: Tokenizer; made?: Uint8Array }> {
  if (await fileExists(path.join(llama, 'tokenizer.json'))) return { tokenizer: await loadTokenizer(llama) };
  const model = path.join(llama, 'tokenizer.model');
  if (!(await fileExists(model))) {
    const problem = 'has neither tokenizer.json nor tokenizer.model';
    throw new InputError({ file: llama, problem, remedy: 'Download the tokenizer too' });
  }
  const work = await mkdtemp(path.join(tmpdir(), 'dataengine-tokenizer-'));
  try {
    const output = path.join(work, 'tokenizer.json');
    await run(await python(), [program, llama, output], { maxBuffer: 1 << 26 }).catch((error) => {
      const reason = String((error as { stderr?: string }).stderr ?? error)
        .trim()
        .split('\n')
        .at(-1);
      const remedy = 'Run `dataengine setup --python`, or download a tokenizer.json';
      throw new InputError({ file: model, problem: `could not be converted: ${reason}`, remedy }, { cause: error });
    });
    for (const name of ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json']) {
      const file = path.join(llama, name);
      if (await fileExists(file)) await copyFile(file, path.join(work, name));
    }
    return { tokenizer: await loadTokenizer(work), made: await readFile(output) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A LLaMA's config with the tokenizer's ids where the two differ. */
export function withTokenizersIds<T extends NamedIds>(text: T, tokenizer: Tokenizer): T {
  const { beginToken, padToken } = tokenizer;
  const pad = text.pad_token_id === undefined ? padToken : specialIds(text, tokenizer).pad;
  return {
    ...text,
    bos_token_id: beginToken ?? text.bos_token_id,
    eos_token_id: endOf(text.eos_token_id, tokenizer),
    pad_token_id: pad,
  };
}

const generationSchema = z.looseObject({ eos_token_id: z.union([z.number(), z.array(z.number())]).nullish() });

/** The LLaMA's `generation_config.json`, with the ids of the whole's config. */
export async function generationConfig(llama: string, text: NamedIds, tokenizer: Tokenizer): Promise<object> {
  const file = path.join(llama, 'generation_config.json');
  const own = (await fileExists(file)) ? await readSettings(file, generationSchema) : {};
  const { bos_token_id, eos_token_id, pad_token_id } = text;
  return {
    ...own,
    ...(bos_token_id !== undefined && { bos_token_id }),
    eos_token_id: endOf(own.eos_token_id ?? eos_token_id, tokenizer),
    ...(pad_token_id !== undefined && { pad_token_id }),
  };
}

function endOf(own: NamedIds['eos_token_id'], { endToken }: Tokenizer): NamedIds['eos_token_id'] {
  return endToken === undefined || [own ?? []].flat().includes(endToken) ? own : endToken;
}
