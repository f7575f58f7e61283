/**
 * bugs/11-tied-head and parity/tied-lm-head-ignored: the head and the embeddings by the flag at each level of the config and by
 * what the file holds, against transformers (`test/fixtures/make-tied-head-fixture.py`).
 */
import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readJson } from '../../../src/core/read-json.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { readModelDirectory, writeModelDirectory } from '../../../src/model/files/model-directory.ts';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixtures = path.join(import.meta.dirname, '../../fixtures');
const EMBEDDINGS = 'language_model.model.embed_tokens.weight';
const HEAD = 'language_model.lm_head.weight';
const flag = z.boolean().nullable();
const found = z.enum(['embeddings', 'head', 'random']);
const caseSchema = z.object({
  model: z.string(),
  top: flag,
  text: flag,
  file: z.enum(['both', 'both equal', 'embeddings', 'head']),
  embeddings: found,
  head: found,
});
type Case = z.output<typeof caseSchema>;
const { cases } = await readJson(path.join(fixtures, 'tied-head.json'), z.object({ cases: z.array(caseSchema) }));

const withFlag = (content: object, tied: boolean | null) => {
  const { tie_word_embeddings: _, ...rest } = content as Record<string, unknown>;
  return tied === null ? rest : { ...rest, tie_word_embeddings: tied };
};

/** Writes the case's model; returns the values of its two tensors. */
async function writeCase(directory: string, { model, top, text, file }: Case) {
  const source = path.join(fixtures, model);
  await cp(source, directory, { recursive: true });
  const config = JSON.parse(await readFile(path.join(source, 'config.json'), 'utf8'));
  const changed = { ...withFlag(config, top), text_config: withFlag(config.text_config, text) };
  await writeJson(path.join(directory, 'config.json'), changed);
  const weights = await openSafetensors(path.join(source, 'model.safetensors'));
  const values = { embeddings: await weights.read(EMBEDDINGS), head: await weights.read(HEAD) };
  const tensors = [...weights.tensors.values()].filter(
    ({ name }) => !(file === 'embeddings' && name === HEAD) && !(file === 'head' && name === EMBEDDINGS),
  );
  await writeSafetensors(
    path.join(directory, 'model.safetensors'),
    tensors.map(({ name, shape }) => ({
      name,
      shape,
      data: () => weights.read(file === 'both equal' && name === HEAD ? EMBEDDINGS : name),
    })),
  );
  await weights.close();
  return values;
}

/** What our model takes for the embeddings and the head. */
async function valuesIn(directory: string) {
  const model = await readModelDirectory(directory);
  try {
    const isTied = model.config.text_config.tie_word_embeddings;
    const embeddings = (await model.read(EMBEDDINGS)).data;
    return { isTied, embeddings, head: isTied ? embeddings : (await model.read(HEAD)).data };
  } finally {
    await model.close();
  }
}

test.each(cases)('$model with the flag $top and in text_config $text, its file with $file', async (one) => {
  const directory = path.join(await temporaryFolder(), 'model');
  const values = await writeCase(directory, one);
  if (one.embeddings === 'random' || one.head === 'random') {
    await expect(valuesIn(directory)).rejects.toThrow(/(lm_head|embed_tokens)\.weight: is missing/);
    return;
  }
  const read = await valuesIn(directory);
  expect(read.embeddings).toEqual(values[one.embeddings]);
  expect(read.head).toEqual(values[one.head]);

  // Written again, its config says what the weights are.
  const copy = path.join(directory, 'copy');
  const model = await readModelDirectory(directory);
  const tensors = model.names().map((name) => ({
    name,
    shape: [...(model.shapes.get(name) as readonly number[])],
    data: async () => (await model.read(name)).data,
  }));
  await writeModelDirectory(copy, { config: model.config, tensors });
  await model.close();
  expect(await valuesIn(copy)).toEqual(read);
  const config = JSON.parse(await readFile(path.join(copy, 'config.json'), 'utf8'));
  expect([config.tie_word_embeddings, config.text_config.tie_word_embeddings]).toEqual([read.isTied, read.isTied]);
});
