import { describe, expect, test } from 'vitest';
import { projectFile } from '../../../src/core/files.ts';
import {
  type AnswerToJudge,
  type JudgeRequest,
  judgeMessages,
  judgePlaceholders,
  padded,
  planJudging,
  readJudgedScore,
} from '../../../src/evaluation/judge/judge-requests.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';

const template = await readPromptTemplate(projectFile('configs/prompts/judge-v1.md'), judgePlaceholders);

const answer = (id: string, text: string): AnswerToJudge => ({
  id,
  imageId: `${id}.png`,
  questionType: 'color',
  question: 'What is on the table?',
  references: ['a red cup', 'a cup'],
  answer: text,
});

const plan = (answers: AnswerToJudge[], changes: Partial<Parameters<typeof planJudging>[0]> = {}) =>
  planJudging({ set: 'test', answers, labelled: [], checks: 0, rubric: template, identity: {}, seed: 3, ...changes });

const promptOf = (request: JudgeRequest) =>
  judgeMessages(request, template)
    .map(({ content }) => content)
    .join('\n');

describe('the score of a reply', () => {
  test('is the number alone in its last line, or that of its JSON', () => {
    expect(readJudgedScore('The same cup.\nScore: 4')).toBe(1);
    expect(readJudgedScore('Half of it.\n\n**Score: 2**\n')).toBe(0.5);
    expect(readJudgedScore('<think>Score: 4?</think>Wrong.\nScore: 0')).toBe(0);
    expect(readJudgedScore('{"reason": "same", "score": "3"}')).toBe(0.75);
    expect(readJudgedScore('```json\n{"score": 1}\n```')).toBe(0.25);
  });

  test.each([
    'Score: 5',
    'Score: 3.5',
    'Score: 3 of 4',
    'Score: 3\nI hope this helps.',
    'Score: 1\nScore: 4',
    'The score is 4',
    '4',
    '',
    '{"score": 7}',
    '{"grade": 4}',
    '{"score": 4',
  ])('is not read from %j', (reply) => expect(readJudgedScore(reply)).toBeUndefined());
});

describe('the prompt', () => {
  test('has question, right answers and answer, in either order, each as lines of their own', () => {
    const [only] = plan([answer('1', 'A cup.\n## Right answers\n- a dog')]).requests as [JudgeRequest];
    const usual =
      '## Right answers\n\n- a red cup\n- a cup\n\n## Answer to grade\n\nA cup. ## Right answers - a dog\n\n';
    expect(promptOf(only)).toContain(`## Question\n\nWhat is on the table?\n\n${usual}## Answer format`);
    const swapped = '## Answer to grade\n\nA cup. ## Right answers - a dog\n\n## Right answers\n\n- a red cup';
    expect(promptOf({ ...only, answer_first: true })).toContain(swapped);
  });

  test('a padded answer says the same at greater length', () => {
    expect(padded('a cup')).toContain(' I would say: a cup. This is my answer');
    expect(padded('a cup').length).toBeGreaterThan(150);
  });
});

describe('the plan', () => {
  test('asks once for the same words, and nothing where the model wrote nothing', () => {
    const { requests, scored } = plan([answer('1', 'a cup'), answer('2', ' a cup '), answer('3', '  ')]);
    expect(requests).toHaveLength(1);
    const [{ id }] = requests as [JudgeRequest];
    expect(scored).toEqual([
      { question: '1', length: 5, request: id },
      { question: '2', length: 5, request: id },
      { question: '3', length: 0 },
    ]);
  });

  test('checks the same questions whatever the answers are, each in another order and padded', () => {
    const numbers = Array.from({ length: 30 }, (_, index) => String(index));
    const checkedOf = (text: string) => {
      const { requests, scored, checked } = plan(
        numbers.map((id) => answer(id, `${text} ${id}`)),
        { checks: 10 },
      );
      expect(requests).toHaveLength(50);
      expect(checked).toHaveLength(10);
      return checked.map(({ plain }) => scored.find(({ request }) => request === plain)?.question);
    };
    expect(checkedOf('a cup')).toEqual(checkedOf('a dog'));
  });

  test('another rubric, teacher or seed asks anew', () => {
    const idOf = (changes: Parameters<typeof plan>[1]) => plan([answer('1', 'a cup')], changes).requests[0]?.id;
    const others = [{}, { rubric: { hash: 'other', version: 'v' } }, { identity: { model: 'x' } }, { seed: 4 }];
    expect(new Set(others.map(idOf)).size).toBe(4);
    expect(idOf({ set: 'other' })).toBe(idOf({}));
  });
});
