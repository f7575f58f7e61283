/**
 * Real weights against transformers: `test/fixtures/make-smollm2-fixture.py` recorded what it computes. Runs where
 * the model has been made with `dataengine model smollm2`, in .cache/smollm2 or where DATAENGINE_SMOLLM2 says.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LlamaDirectory, readLlamaDirectory } from '../../src/model/files/llama.ts';
import { embedTokens, llama } from '../../src/model/llama.ts';
import { Program } from '../../src/model/ops/program.ts';
import { Tape } from '../../src/model/ops/tape.ts';
import { loadTokenizer } from '../../src/model/text/tokenizer.ts';
import { causalTables } from '../../src/trainer/jobs/finetune/loss.ts';
import { frozenWeights, loadWeights } from '../../src/trainer/jobs/frozen-weights.ts';
import { generateTexts } from '../../src/trainer/jobs/generate-text.ts';

interface Case {
  text: string;
  tokenIds: number[];
  tokens: number[];
  logits: Record<string, number[]>;
  written: number[];
  writtenText: string;
}

const directory = process.env.DATAENGINE_SMOLLM2 ?? '.cache/smollm2';
const isThere = existsSync(path.join(directory, 'model.safetensors'));
if (!isThere) console.warn(`${directory} is not there: run \`dataengine model smollm2\` to test with real weights`);
const cases: Case[] = JSON.parse(readFileSync(path.join(import.meta.dirname, '../fixtures/smollm2.json'), 'utf8'));

describe.skipIf(!isThere)('SmolLM2-135M-Instruct', { timeout: 600_000 }, () => {
  let model: LlamaDirectory;
  beforeAll(async () => {
    model = await readLlamaDirectory(directory);
  }, 120_000);
  afterAll(() => model?.close());

  test("gives PyTorch's token ids and logits", async () => {
    const tokenizer = await loadTokenizer(directory);
    const program = new Program();
    const weights = frozenWeights(program, model, { use: 'forward' });
    for (const [index, { text, tokenIds, logits }] of cases.entries()) {
      expect(await tokenizer.encodeWhole(text)).toEqual(tokenIds);
      const places = Int32Array.from(Object.keys(logits), Number);
      const tokens = tokenIds.length;
      program.define(`logits-${index}`, { ids: { shape: [tokens], dataType: 'int32' } }, (ops, { ids }) => {
        const tape = new Tape(ops);
        const rows = ops.constant(places, [places.length]);
        const found = llama(tape, weights, model.config, {
          embeddings: embedTokens(tape, weights, ids),
          batch: 1,
          tables: causalTables(ops, model.config, tokens),
          outputs: { perSequence: places.length, rows, tableRows: rows },
        });
        return { logits: found.value };
      });
    }
    program.load();
    try {
      await loadWeights(program, model);
      let largest = 0;
      for (const [index, { tokenIds, tokens, logits }] of cases.entries()) {
        const found = program.run(`logits-${index}`, { ids: Int32Array.from(tokenIds) }).logits as Float32Array;
        const vocabulary = model.config.text_config.vocab_size;
        Object.keys(logits).forEach((place, row) => {
          tokens.forEach((token, column) => {
            const expected = logits[place]?.[column] as number;
            largest = Math.max(largest, Math.abs((found[row * vocabulary + token] as number) - expected));
          });
        });
      }
      expect(largest).toBeLessThan(1e-3);
    } finally {
      program.dispose();
    }
  });

  test("writes PyTorch's greedy text", async () => {
    const requests = cases.map(({ text }, index) => ({ id: `${index}`, prompt: text }));
    const found = await generateTexts(directory, requests, { strategy: { kind: 'greedy' }, maximumNewTokens: 32 });
    expect(found.map(({ tokenIds }) => tokenIds)).toEqual(cases.map(({ written }) => written));
    expect(found.map(({ text }) => text)).toEqual(cases.map(({ writtenText }) => writtenText));
  });
});
