import { describe, expect, test } from 'vitest';
import { asThreeParts, parseShortAnswer } from '../../src/generation/parse-short-answer.ts';
import { answersTo, refineAnswers } from '../../src/generation/refine.ts';

const text = ({
  question = 'How many bars are taller than 20?',
  answer = '4',
  explanation = 'Four bars end above the line of 20.',
} = {}) => `Question: ${question}\nAnswer: ${answer}\nExplanations: ${explanation}`;

const parsed = {
  question: 'How many bars are taller than 20?',
  choices: [],
  answer: '4',
  explanation: 'Explanations: Four bars end above the line of 20.',
};

describe('a question with a short answer', () => {
  test('has three parts', () => expect(parseShortAnswer(text())).toEqual(parsed));

  test.each(['4.', 'The answer is 4.', 'The correct answer is: 4', '\n4'])('%j is the answer 4', (answer) => {
    expect(parseShortAnswer(text({ answer }))).toEqual(parsed);
  });

  test.each(['2.5', '[0.1, 0.2, 0.3, 0.4]', '{"total": "12.50"}', 'a dark, red car'])('%j stays as it is', (answer) => {
    expect(parseShortAnswer(text({ answer }))).toMatchObject({ answer });
  });

  test('with bold headings is read too', () => {
    expect(parseShortAnswer(text().replace(/^(\w+):/gm, '**$1:**'))).toMatchObject({
      question: parsed.question,
      answer: '4',
    });
  });

  test.each([
    ['missing_part', text().replace(/Answer: .*\n/, '')],
    ['missing_part', text({ question: '' })],
    ['missing_part', `${text()}\n${text()}`],
    ['choice_count', text().replace('Answer:', 'Choices: (A) 3 (B) 4\nAnswer:')],
    ['description', text({ explanation: 'As the description says.' })],
  ])('is rejected as %s: %j', (reason, answer) => {
    expect(parseShortAnswer(answer)).toMatchObject({ reason });
  });

  test('as a JSON object is the same', () => {
    const json = {
      skip_reason: null,
      question: parsed.question,
      answer: 4,
      explanation: 'Four bars end above the line of 20.',
    };
    expect(parseShortAnswer(asThreeParts(JSON.stringify(json)))).toEqual(parsed);
    expect(asThreeParts(JSON.stringify({ ...json, skip_reason: 'no bars' }))).toBe('Skip: no bars');
  });
});

describe('refining answers of both kinds', () => {
  const choices =
    'Question: What is red?\nChoices: (A) car (B) cat (C) cup (D) cow\nAnswer: The answer is (A): car.\nExplanations: One sees it.';
  const raw = (request_id: string, raw_instructions: string) => ({
    request_id,
    image_id: `${request_id}.png`,
    raw_instructions,
    question_type: 'x',
  });
  const requests = [{ id: 'a' }, { id: 'b', short_answer: true as const }, { id: 'c', short_answer: true as const }];

  test('each is parsed as it was requested, and a sample keeps the instruction of its question', () => {
    const answers = answersTo(requests, [raw('a', choices), raw('b', text()), raw('c', choices)]);
    const { samples, rejected } = refineAnswers({ answers, earlierSamples: [], seed: 1, instruction: 'A number.' });
    expect(samples.map(({ choices }) => choices.length)).toEqual([4, 0]);
    expect(samples[1]).toEqual({
      image_id: 'b.png',
      raw_instructions: text(),
      question_type: 'x',
      question: parsed.question,
      choices: [],
      direct_answers: ['4'],
      instruction: 'A number.',
      rationales: [parsed.explanation],
    });
    expect(rejected.map(({ request_id, reason }) => [request_id, reason])).toEqual([['c', 'choice_count']]);
  });

  test('an answer that the metric can not score, and a duplicate of an earlier sample, are rejected', () => {
    const [first] = refineAnswers({
      answers: answersTo(requests, [raw('b', text())]),
      earlierSamples: [],
      seed: 1,
    }).samples;
    const again = answersTo(requests, [raw('b', text()), raw('c', text({ answer: 'maybe' }))]);
    const { countsByReason } = refineAnswers({
      answers: again,
      earlierSamples: first === undefined ? [] : [first],
      seed: 1,
      unscorable: (answer) => (/^\d+$/.test(answer) ? undefined : 'is no number'),
    });
    expect(countsByReason).toEqual({ duplicate: 1, not_scorable: 1 });
  });
});
