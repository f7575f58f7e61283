/** The local teacher as a judge, from the text of a request alone. */
import { expect, test } from 'vitest';
import { answerPrompt } from '../../../demo/local-teacher/answer-prompt.ts';
import { gradeByWords } from '../../../demo/local-teacher/wording/judge.ts';
import { projectFile } from '../../../src/core/files.ts';
import {
  judgeMessages,
  judgePlaceholders,
  padded,
  planJudging,
  readJudgedScore,
} from '../../../src/evaluation/judge/judge-requests.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';

test.each([
  [['red cup'], 'A red cup.', 4],
  [['red cup'], 'a cup', 2],
  [['red cup', 'mug'], 'It is a mug, I think', 4],
  [['red'], 'it is not red', 0],
  [['no'], 'No.', 4],
  [['two'], 'three', 0],
])('%j: %j has %i of 4', (references, answer, score) => expect(gradeByWords(references, answer)).toBe(score));

test('it answers the prompt in the form that is read, whatever the order and the padding', async () => {
  const rubric = await readPromptTemplate(projectFile('configs/prompts/judge-v1.md'), judgePlaceholders);
  const words = { question: 'What is it?', references: ['a red cup'], answer: 'a blue cup' };
  const answers = [{ ...words, id: '1', imageId: 1, questionType: 'x' }];
  const { requests } = planJudging({ set: 's', answers, labelled: [], checks: 1, rubric, identity: {}, seed: 1 });
  expect(requests.map(({ answer }) => answer)).toEqual(['a blue cup', 'a blue cup', padded('a blue cup')]);
  for (const request of requests) {
    const prompt = judgeMessages(request, rubric)
      .map(({ content }) => content)
      .join('\n');
    const { text, kind } = answerPrompt(prompt, { mistakeRate: 0, seed: 1 });
    expect([kind, readJudgedScore(text)]).toEqual(['score', 0.5]);
  }
});
