/**
 * Token ids and what the loss is on, with `model.tokenBoundaries: reference`, against what the reference system's own code
 * gave the language model (`test/fixtures/make-reference-tokens.py`).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ANSWER_START, answerStem, listedQuestion } from '../../src/datasets/question-text.ts';
import { miniGpt4PromptForm, miniGpt4ReferenceForm } from '../../src/model/families/minigpt4/prompt.ts';
import { type PromptForm, questionTurn } from '../../src/model/families/prompt-form.ts';
import { type PromptSettings, rankedIds, trainingSequence } from '../../src/trainer/jobs/sequence.ts';
import { loadContent, styleNamed } from '../helpers/tokenizer-styles.ts';

const recording = path.join(import.meta.dirname, '../fixtures/reference-system/tokens.json');
const ids = z.array(z.number());
const seen = z.array(z.object({ ids, labels: ids }));
const recordSchema = z.object({
  queries: z.number(),
  texts: z.array(z.object({ kind: z.enum(['question', 'request']), prompt: z.string(), answer: z.string() })),
  questions: z.array(z.object({ question: z.string(), choices: z.array(z.string()) })),
  tokenizers: z.array(z.object({ name: z.string(), begin: z.number(), trained: seen, ranked: seen })),
});
type Recorded = z.output<typeof recordSchema>['tokenizers'][number];

const record = recordSchema.parse(JSON.parse(readFileSync(recording, 'utf8')));

/** An image's places are -1, as the recording has them. */
async function settingsOf({ name, begin }: Recorded, form: PromptForm): Promise<PromptSettings> {
  const tokenizer = { ...(await loadContent(styleNamed(name).tokenizer)), tokenId: () => -1 };
  return { tokenizer, queries: record.queries, beginToken: begin, form };
}

const endOfTurn = '###Assistant: ';
const notLearned = -100;

async function trained(settings: PromptSettings) {
  return Promise.all(
    record.texts.map(async ({ kind, prompt, answer }) => {
      const turn = questionTurn(settings.form, prompt.slice(0, -endOfTurn.length), { withImage: true });
      const limited = { ...settings, maximumTokens: 160 };
      const request = kind === 'request' ? kind : undefined;
      const { tokenIds, answerStart } = await trainingSequence(turn, answer, limited, request);
      return { ids: tokenIds, labels: tokenIds.map((id, place) => (place < answerStart ? notLearned : id)) };
    }),
  );
}

const learnedText = ({ tokenizer }: PromptSettings, labels: readonly number[] = []) =>
  tokenizer.decode(labels.filter((id) => id !== notLearned)).trim();

describe.each(record.tokenizers)('with the tokenizer $name', (recorded) => {
  test('training: the ids, what is learned of them, and where they are cut are the reference’s', async () => {
    const found = await trained(await settingsOf(recorded, miniGpt4ReferenceForm));
    expect(found).toEqual(recorded.trained);
    // The third question has more than 160 tokens, and the last caption too.
    expect(found.map(({ labels }) => labels.some((id) => id !== notLearned))).toEqual([true, true, false, true, true]);
  });

  test('ranking: the ids of each choice, and which of them count, are the reference’s', async () => {
    const settings = await settingsOf(recorded, miniGpt4ReferenceForm);
    const found = await Promise.all(
      record.questions.map(async ({ question, choices }) => {
        const { ids: before, answers } = await rankedIds(
          {
            question: listedQuestion(question, choices),
            images: 1,
            answerStart: ANSWER_START,
            answers: choices.map((_, index) => answerStem(choices, index)),
          },
          settings,
        );
        return answers.map((answer) => ({
          ids: [...before, ...answer],
          labels: [...before.map(() => notLearned), ...answer],
        }));
      }),
    );
    expect(found.flat()).toEqual(recorded.ranked);
  });
});

test('the loss starts with "answer" where one token holds "The" and the space before it; separately, with "The"', async () => {
  const recorded = record.tokenizers.find(({ name }) => name === 'gpt2-prefix') as Recorded;
  const [reference, separate] = await Promise.all(
    [miniGpt4ReferenceForm, miniGpt4PromptForm].map((form) => settingsOf(recorded, form)),
  );
  const [first] = await trained(reference as PromptSettings);
  expect(learnedText(reference as PromptSettings, first?.labels)).toBe('answer is (A) a cat.###');
  const [other] = await trained(separate as PromptSettings);
  expect(learnedText(separate as PromptSettings, other?.labels)).toBe('The answer is (A) a cat.###');
});
