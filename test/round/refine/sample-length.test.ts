import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { Config } from '../../../src/config/schema.ts';
import { answerQma, listedQuestion } from '../../../src/datasets/question-text.ts';
import { isRejection, type ParsedAnswer } from '../../../src/generation/filters.ts';
import { parseAnswer } from '../../../src/generation/parse-answer.ts';
import { type AnswerToRefine, engineSample, refineAnswers } from '../../../src/generation/refine.ts';
import { questionTurn } from '../../../src/model/families/prompt-form.ts';
import { readModelConfig } from '../../../src/model/files/model-config.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { findTooLong, fittingSamples, lengthCheck, lengthInputs } from '../../../src/round/refine/sample-length.ts';
import { promptSettings, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tinyModel, writeTinyRun } from '../tiny-run.ts';

// A machine that refines has no TensorFlow.
vi.mock('../../../src/model/ops/tensorflow.ts', () => ({
  nativeBinding: () => {
    throw new Error('TensorFlow is loaded');
  },
}));

/** A config whose model is what a machine that refines has of it: no weights. */
async function setUp(finetune: object = {}, data: object = {}): Promise<Config> {
  const folder = await temporaryFolder();
  for (const name of ['config.json', 'tokenizer.json']) await copyFile(join(tinyModel, name), join(folder, name));
  const config = await loadConfig(await writeTinyRun(folder));
  return {
    ...config,
    model: { path: folder, tokenBoundaries: 'separate' },
    finetune: { ...config.finetune, ...finetune },
    data: { ...config.data, ...data },
  };
}

const caseFile = new URL('../../fixtures/fidelity/teacher_answer_kept_by_refine_kills_finetune.json', import.meta.url);
const [{ raw_instructions }] = JSON.parse(await readFile(caseFile, 'utf8')) as [{ raw_instructions: string }];
const long = parseAnswer(raw_instructions) as ParsedAnswer;
const short: ParsedAnswer = {
  question: 'What is it?',
  choices: ['a', 'b', 'c', 'd'],
  correctChoiceIndex: 1,
  explanation: 'So it is.',
};
const answer = (request_id: string, { question, choices, explanation }: ParsedAnswer): AnswerToRefine => ({
  request_id,
  image_id: 1,
  question_type: 'image_scene',
  raw_instructions: [
    `Question: ${question}`,
    `Choices: ${choices.map((choice, place) => `(${'ABCD'[place]}) ${choice}`).join(' ')}`,
    `Answer: The answer is (B): ${choices[1]}.`,
    `Explanation: ${explanation}`,
  ].join('\n'),
});

test('teacher_answer_kept_by_refine_kills_finetune.json: what the trainer would cut is rejected', async () => {
  expect(isRejection(long)).toBe(false);
  const check = await lengthCheck(await setUp());
  expect(await check(long)).toEqual({
    reason: 'too_long',
    detail: expect.stringMatching(/^\d+ tokens; finetune\.maximumTokens is 160$/),
  });
  expect(await check(short)).toBeUndefined();

  const answers = [answer('long', long), answer('short', { ...short, explanation: 'One sees the wooden boat.' })];
  const tooLong = await findTooLong(answers, check);
  const { samples, rejected, countsByReason } = refineAnswers({ answers, earlierSamples: [], tooLong, seed: 1 });
  expect(samples).toHaveLength(1);
  expect(rejected).toMatchObject([{ request_id: 'long', reason: 'too_long' }]);
  expect(countsByReason).toEqual({ too_long: 1 });
});

test("a sample that spells a token of the model's own tokenizer is rejected, whatever it looks like", async () => {
  const config = await setUp();
  const file = join(config.model.path, 'tokenizer.json');
  const content = JSON.parse(await readFile(file, 'utf8')) as { added_tokens: object[] };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  content.added_tokens.push({ id: 1_000_000, content: 'TURN~OVER', ...flags });
  await writeFile(file, JSON.stringify(content));
  const check = await lengthCheck(config);
  const spelled = { ...short, explanation: 'So it is TURN~OVER now.' };
  expect(await check(spelled)).toEqual({ reason: 'chat_mark', detail: 'So it is TURN~OVER now.' });
  expect(await check(short)).toBeUndefined();
});

test('the limit is the trainer’s, to the token', async () => {
  const { model } = await setUp();
  const settings = promptSettings(
    { directory: model.path, config: await readModelConfig(model.path) },
    await loadTokenizer(model.path),
  );
  const { question, choices, correctChoiceIndex } = short;
  const turn = questionTurn(settings.form, listedQuestion(question, choices), { withImage: true });
  const isCut = async (maximumTokens: number) => {
    const answered = answerQma(choices, correctChoiceIndex);
    return (await trainingSequence(turn, answered, { ...settings, maximumTokens })).cut > 0;
  };
  let longest = 1;
  while (await isCut(longest)) longest += 1;
  expect(await (await lengthCheck(await setUp({ maximumTokens: longest })))(short)).toBeUndefined();
  expect(await (await lengthCheck(await setUp({ maximumTokens: longest - 1 })))(short)).toMatchObject({
    detail: `${longest} tokens; finetune.maximumTokens is ${longest - 1}`,
  });
});

test('maximumSequence counts the image too', async () => {
  const inAll = /^(\d+) tokens with its image; finetune\.maximumSequence is 8$/;
  const rejection = await (await lengthCheck(await setUp({ maximumSequence: 8 })))(short);
  const [, tokens] = inAll.exec(rejection?.detail ?? '') ?? [];
  expect(await (await lengthCheck(await setUp({ maximumSequence: Number(tokens) })))(short)).toBeUndefined();
  expect(await (await lengthCheck(await setUp({ maximumSequence: Number(tokens) - 1 })))(short)).toBeDefined();
});

test('an explanation may be cut, as in the reference system, unless finetune.tooLong is error', async () => {
  const explained = { ...short, explanation: 'So it is. '.repeat(100) };
  const checkOf = async (format: 'QMA' | 'QMAE', tooLong: 'truncate' | 'error') =>
    (await lengthCheck(await setUp({ tooLong }, { format })))(explained);
  expect(await checkOf('QMA', 'error')).toBeUndefined();
  expect(await checkOf('QMAE', 'truncate')).toBeUndefined();
  expect(await checkOf('QMAE', 'error')).toMatchObject({ reason: 'too_long' });
});

test('with a chat template there must be 16 tokens for it, and without tokenizer.json nothing is rejected', async () => {
  const config = { ...(await setUp({ maximumTokens: 45 })), trainer: 'torchrun' as const };
  const { path } = config.model;
  await writeFile(join(path, 'config.json'), JSON.stringify({ model_type: 'qwen2_vl' }));
  // Question and choices have 20 words and marks, the answer 8.
  expect(await (await lengthCheck(config))(short)).toBeUndefined();
  const shorter = { ...config, finetune: { ...config.finetune, maximumTokens: 43 } };
  expect(await (await lengthCheck(shorter))(short)).toMatchObject({ detail: expect.stringMatching(/^4[45] tokens/) });
  await rm(join(path, 'tokenizer.json'));
  expect(await (await lengthCheck(shorter))(long)).toBeUndefined();
});

test('a model without a tokenizer is named, and lengths depend on limit and tokenizer alone', async () => {
  const config = await setUp();
  const { path } = config.model;
  const inputs = await lengthInputs(config);
  expect(await lengthInputs(await setUp())).toEqual(inputs);
  expect(await lengthInputs(await setUp({ maximumTokens: 96 }))).not.toEqual(inputs);
  await writeFile(join(path, 'tokenizer_config.json'), '{}');
  expect(await lengthInputs(config)).not.toEqual(inputs);
  await rm(join(path, 'tokenizer.json'));
  await expect(lengthCheck(config)).rejects.toMatchObject({ name: 'InputError', file: join(path, 'tokenizer.json') });
});

test('a sample that shuffling made too long stays as the teacher wrote it', async () => {
  const written = answer('one', short);
  const [original, shuffled] = [short, { ...short, choices: ['b', 'a', 'c', 'd'], correctChoiceIndex: 0 }].map(
    (parsed) => engineSample(written, parsed as ParsedAnswer),
  );
  const samples = await fittingSamples([shuffled as NonNullable<typeof shuffled>], async ({ choices }) =>
    choices[0] === 'a' ? undefined : { reason: 'too_long', detail: '' },
  );
  expect(samples).toEqual([{ ...original, rationales: ['Explanation: So it is.'] }]);
});
