import { expect, test } from 'vitest';
import { specialIdProblem, specialIds } from '../../../src/model/text/special-ids.ts';

/** Vicuna's first config, which MiniGPT-4 ships, and its tokenizer. */
const config = { bos_token_id: 0, eos_token_id: 1, pad_token_id: -1 };
const tokenizer = { beginToken: 1, endToken: 2, padToken: undefined };

test('the tokenizer wins over config.json', () => {
  expect(specialIds(config, tokenizer)).toEqual({ begin: 1, ends: [1, 2], pad: 0 });
  expect(specialIdProblem(config, tokenizer)).toBe(
    "config.json: bos_token_id is 0, but the tokenizer's begin token has id 1; eos_token_id is 1, but the tokenizer's " +
      "end token has id 2: the tokenizer's ids are used",
  );
});

test('what the tokenizer does not name is taken from config.json, or as transformers has it', () => {
  const none = { beginToken: undefined, endToken: undefined, padToken: undefined };
  expect(specialIds({ bos_token_id: 5, eos_token_id: [6, 7], pad_token_id: 8 }, none)).toEqual({
    begin: 5,
    ends: [6, 7],
    pad: 8,
  });
  const empty = { bos_token_id: undefined, eos_token_id: undefined, pad_token_id: undefined };
  expect(specialIds(empty, none)).toEqual({ begin: 1, ends: [], pad: 0 });
});

test('where they agree, or one says nothing, there is no problem', () => {
  const agrees = { bos_token_id: 1, eos_token_id: [9, 2], pad_token_id: 0 };
  expect(specialIds(agrees, tokenizer)).toEqual({ begin: 1, ends: [9, 2], pad: 0 });
  expect(specialIdProblem(agrees, tokenizer)).toBeUndefined();
  expect(specialIdProblem({ ...config, bos_token_id: undefined, eos_token_id: undefined }, tokenizer)).toBeUndefined();
});
