import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { findLetters } from '../../src/generation/choice-letters.ts';
import { isRejection } from '../../src/generation/filters.ts';
import { parseAnswer } from '../../src/generation/parse-answer.ts';
import { type AnswerToRefine, refineAnswers } from '../../src/generation/refine.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';

function answer(
  number: number,
  values: Partial<AnswerToRefine> & { question?: string; explanation?: string } = {},
): AnswerToRefine {
  const { question = 'What is it?', explanation = 'One sees it.', ...rest } = values;
  return {
    request_id: `request-${number}`,
    image_id: number,
    question_type: 'image_scene',
    raw_instructions: [
      `Question: ${question}`,
      'Choices: (A) right (B) wrong1 (C) wrong2 (D) wrong3',
      'Answer: The answer is (A): right.',
      `Explanations: ${explanation}`,
    ].join('\n'),
    ...rest,
  };
}
const many = Array.from({ length: 40 }, (_, number) => answer(number));

describe('samples', () => {
  test('have the keys and the order of keys of the official file', () => {
    const { samples } = refineAnswers({ answers: [answer(7)], earlierSamples: [], seed: 1, shuffleChoices: false });
    expect(samples).toEqual([
      {
        image_id: 7,
        raw_instructions: answer(7).raw_instructions,
        question_type: 'image_scene',
        question: 'What is it?',
        choices: ['right', 'wrong1', 'wrong2', 'wrong3'],
        correct_choice_idx: 0,
        rationales: ['Explanations: One sees it.'],
      },
    ]);
  });

  test('have each letter correct equally often, though the teacher always says (A)', () => {
    const { samples } = refineAnswers({ answers: many, earlierSamples: [], seed: 1 });
    const letters = [0, 1, 2, 3].map((index) => samples.filter((sample) => sample.correct_choice_idx === index).length);
    expect(letters).toEqual([10, 10, 10, 10]);
    for (const sample of samples) {
      expect(sample.choices[sample.correct_choice_idx ?? -1]).toBe('right');
      expect([...sample.choices].sort()).toEqual(['right', 'wrong1', 'wrong2', 'wrong3']);
    }
  });

  test.each([
    ['two', ['right', 'wrong1']],
    ['three', ['right', 'wrong1', 'wrong2']],
    ['five', ['right', 'wrong1', 'wrong2', 'wrong3', 'wrong4']],
  ])('may have %s choices, whose letters are correct equally often too', (_, choices) => {
    const list = choices.map((choice, index) => `(${'ABCDE'[index]}) ${choice}`).join(' ');
    const others = Array.from({ length: 30 }, (_, number) => {
      const { raw_instructions: raw, ...rest } = answer(100 + number, { explanation: 'It is (A), not (B).' });
      return { ...rest, raw_instructions: raw.replace(/Choices: .*/, `Choices: ${list}`) };
    });
    const { samples, rejected } = refineAnswers({ answers: [...many, ...others], earlierSamples: [], seed: 1 });
    expect(rejected).toEqual([]);
    const own = samples.slice(many.length);
    const letters = choices.map((_, index) => own.filter((sample) => sample.correct_choice_idx === index).length);
    expect(letters).toEqual(choices.map(() => 30 / choices.length));
    for (const sample of own) {
      expect(sample.choices[sample.correct_choice_idx ?? -1]).toBe('right');
      expect([...sample.choices].sort()).toEqual(choices);
      const [right, wrong] = ['right', 'wrong1'].map((choice) => 'ABCDE'[sample.choices.indexOf(choice)]);
      expect(sample.rationales).toEqual([`Explanations: It is (${right}), not (${wrong}).`]);
    }
  });

  test('are the same for the same seed, and shuffled otherwise for another', () => {
    const refine = (seed: number) => refineAnswers({ answers: many, earlierSamples: [], seed });
    expect(refine(1)).toEqual(refine(1));
    expect(refine(1)).not.toEqual(refine(2));
  });

  test('have explanations whose letters follow the choices', () => {
    const explanation = 'It is (A), not option B; a B-movie (A1) stays.';
    const { samples } = refineAnswers({
      answers: many.map((_, number) => answer(number, { explanation })),
      earlierSamples: [],
      seed: 1,
    });
    for (const { choices, rationales } of samples) {
      const right = 'ABCD'[choices.indexOf('right')];
      const wrong = 'ABCD'[choices.indexOf('wrong1')];
      expect(rationales).toEqual([`Explanations: It is (${right}), not option ${wrong}; a B-movie (A1) stays.`]);
    }
  });
});

describe('explanation_letters_after_shuffle.json', () => {
  const file = new URL('../fixtures/fidelity/explanation_letters_after_shuffle.json', import.meta.url);
  const answers = JSON.parse(readFileSync(file, 'utf8')) as AnswerToRefine[];

  test('after any shuffle, the letters of wrong choices are those of other choices than the glove', () => {
    for (let seed = 0; seed < 24; seed += 1) {
      const { samples } = refineAnswers({ answers, earlierSamples: [], seed });
      expect(samples).toHaveLength(answers.length);
      for (const { raw_instructions: raw, choices, correct_choice_idx: correct, rationales } of samples) {
        expect(choices[correct ?? -1]).toBe('a glove');
        const [before, after] = [lettersOf(raw.split('Explanations:')[1]), lettersOf(rationales[0])];
        const formerChoices = ['a bat', 'a ball', 'a glove', 'a hat'];
        expect(after.map((letter) => choices['ABCD'.indexOf(letter)])).toEqual(
          before.map((letter) => formerChoices['ABCD'.indexOf(letter)]),
        );
      }
    }
  });

  const lettersOf = (text = '') => Array.from(text.matchAll(/\b[A-D]\b(?! glove)/g), ([letter]) => letter);
});

describe('a shuffle is left out', () => {
  const explanation = 'The second option is wrong.';
  const refine = (answers: AnswerToRefine[]) => refineAnswers({ answers, earlierSamples: [], seed: 1 }).samples;

  test('where the places of choices are named otherwise than by letters', () => {
    for (const { choices } of refine(many.map((_, number) => answer(number, { explanation })))) {
      expect(choices).toEqual(['right', 'wrong1', 'wrong2', 'wrong3']);
    }
  });

  test('and the letters of the other samples make up for it', () => {
    const samples = refine(many.map((_, number) => answer(number, number % 4 === 3 ? { explanation } : {})));
    const letters = [0, 1, 2, 3].map((place) => samples.filter((sample) => sample.correct_choice_idx === place).length);
    expect(letters).toEqual([10, 10, 10, 10]);
    expect(samples.filter(({ choices }) => choices[0] === 'right').length).toBe(10);
  });
});

describe('rejected answers', () => {
  test('keep the reason, what it is about, and the raw text', () => {
    const nonsense = { ...answer(1), raw_instructions: 'Skip: I see nothing' };
    expect(refineAnswers({ answers: [nonsense], earlierSamples: [], seed: 1 })).toEqual({
      samples: [],
      rejected: [
        {
          request_id: 'request-1',
          image_id: 1,
          reason: 'skip',
          detail: 'Skip: I see nothing',
          raw: 'Skip: I see nothing',
        },
      ],
      countsByReason: { skip: 1 },
    });
  });

  test('are repeated questions about the same image, within a round and against earlier ones', () => {
    const { samples: earlierSamples } = refineAnswers({ answers: [answer(1)], earlierSamples: [], seed: 1 });
    const answers = [
      answer(1, { request_id: 'of an earlier round' }),
      answer(2, { request_id: 'first' }),
      answer(2, { request_id: 'again' }),
      answer(2, { request_id: 'nearly', question: 'what is it, here?' }),
      answer(3, { request_id: 'other image' }),
    ];
    const { samples, rejected } = refineAnswers({ answers, earlierSamples, seed: 1 });
    expect(samples.map((sample) => sample.image_id)).toEqual([2, 3]);
    expect(rejected.map(({ request_id, reason }) => [request_id, reason])).toEqual([
      ['of an earlier round', 'duplicate'],
      ['again', 'duplicate'],
      ['nearly', 'near_duplicate'],
    ]);
  });
});

describe("the reference system's own answers", () => {
  test('gptvqa_train_data.json is made of its raw answers, field for field', async (context) => {
    const file = sharedFile('seed/gptvqa_train_data.json') ?? context.skip(noSharedFiles);
    const expected = await readEngineData(file);
    const answers = expected.map(({ image_id, raw_instructions, question_type }) => ({
      request_id: String(image_id),
      image_id,
      raw_instructions,
      question_type,
    }));
    expect(refineAnswers({ answers, earlierSamples: [], seed: 1, shuffleChoices: false })).toEqual({
      samples: expected,
      rejected: [],
      countsByReason: {},
    });
  });

  test('at most 2 % of gptvqa_result.jsonl are left as they are', async (context) => {
    const file = sharedFile('seed/gptvqa_result.jsonl') ?? context.skip(noSharedFiles);
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const parsed = lines.map((line) => parseAnswer((JSON.parse(line) as AnswerToRefine).raw_instructions));
    const unsure = parsed.filter((sample) => isRejection(sample) || !findLetters(sample.explanation, sample.choices));
    expect(unsure.length / parsed.length).toBeLessThanOrEqual(0.02);
  });

  test('all of gptvqa_result.jsonl is parsed', async (context) => {
    const file = sharedFile('seed/gptvqa_result.jsonl') ?? context.skip(noSharedFiles);
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const answers = lines.map((line) => ({
      request_id: line,
      ...(JSON.parse(line) as Omit<AnswerToRefine, 'request_id'>),
    }));
    const { samples, rejected } = refineAnswers({ answers, earlierSamples: [], seed: 1, shuffleChoices: false });
    expect(rejected).toEqual([]);
    expect(samples.map((sample) => sample.correct_choice_idx)).toEqual([1, 1, 2]);
    expect(samples[0]?.choices[1]).toBe('In the middle of the door');
    expect(samples[1]?.question).toBe('What is the activity the people are engaging in?');
    for (const { question, choices, rationales } of samples) {
      expect([question, ...choices, ...rationales].join(' ')).not.toMatch(/[[\]]/);
    }
  });
});
