import { describe, expect, test } from 'vitest';
import { answerPrompt } from '../../demo/local-teacher/answer-prompt.ts';
import { countVerdicts, verdictJudge } from '../../src/generation/verdicts.ts';
import {
  choiceFormat,
  languageOnlyPlaceholders,
  readChosenLetter,
  readWrittenAnswer,
  shortLanguageOnlyPlaceholders,
  type VerificationRequest,
  verificationMessages,
  verificationRequests,
} from '../../src/generation/verification.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { askTeacher } from '../../src/teacher/teacher.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';

const templates = {
  blind: await readPromptTemplate('configs/prompts/verify-v1.md', ['captions', 'boxes', 'question', 'choices']),
  language_only: await readPromptTemplate('configs/prompts/verify-without-picture-v1.md', languageOnlyPlaceholders),
};
// A scene of the demo domain, as its annotations describe it.
const image = {
  id: 1,
  fileName: '1.jpg',
  width: 100,
  height: 100,
  boxCount: 1,
  captionCount: 1,
  captions: ['a large red car on the left'],
  boxes: [{ category: 'car', box: [5, 40, 30, 30] as [number, number, number, number] }],
};
const choices = ['red', 'blue', 'green', 'yellow'];
const images = new Map([[1, image]]);
const right = {
  request_id: 'right',
  image_id: 1,
  questionType: 'color',
  question: 'What color is the car?',
  choices,
  correctChoiceIndex: 0,
};
const wrong = { ...right, request_id: 'wrong', correctChoiceIndex: 2 };
const promptVersions = { blind: 'v1', language_only: 'v1' };
const settings = { promptVersions, blindAnswers: 3, languageOnlyAnswers: 2, identity: 'gpt-4', seed: 1 };
const requests = verificationRequests({ samples: [right, wrong], ...settings });

describe('what is asked', () => {
  test('is each sample n times blind and m times without the image, the choices in another order each time', () => {
    expect(requests.map(({ request_id, kind }) => `${request_id} ${kind}`)).toEqual(
      ['right', 'wrong'].flatMap((id) => [
        ...Array.from({ length: 3 }, () => `${id} blind`),
        ...Array.from({ length: 2 }, () => `${id} language_only`),
      ]),
    );
    expect(new Set(requests.map((request) => request.choices.join())).size).toBeGreaterThan(3);
    for (const request of requests) {
      expect(request.choices[request.expected ?? -1]).toBe(request.request_id === 'right' ? 'red' : 'green');
    }
  });

  test('never contains the answer, and describes the image only when blind', () => {
    for (const request of requests) {
      const prompt = verificationMessages(request, images, templates)
        .map(({ content }) => content)
        .join('\n');
      expect(prompt).toContain('What color is the car?');
      expect(prompt.includes('a large red car')).toBe(request.kind === 'blind');
    }
  });

  test('is the same every time, and something else for another teacher', () => {
    const ids = (changes = {}) =>
      verificationRequests({ samples: [right], ...settings, ...changes }).map(({ id }) => id);
    expect(ids()).toEqual(ids());
    expect(ids({ identity: 'gpt-5' })).not.toEqual(ids());
  });
});

test.each([
  ['The car is red.\nAnswer: (C)', 2],
  ['**Answer:** (b)', 1],
  ['answer is D.', 3],
  ['B', 1],
  ['Answer: (E)', 4],
  ['It must be (A), since (A) is red.', 0],
  ['(A) or (B)', undefined],
  ['Answer: none', undefined],
  ['A car is seen.', undefined],
  ['', undefined],
])('%j chooses %j', (text, place) => {
  expect(readChosenLetter(text)).toBe(place);
});

test.each([
  ['{"reason":"It is red.","answer":"C"}', 2],
  ['{"reason":"It is the last.","answer":"E"}', 4],
  ['{"reason":"Nobody knows.","answer":"none"}', undefined],
  ['{"reason":"cut', undefined],
])('%j, a structured answer, chooses %j', (text, place) => {
  expect(readChosenLetter(text)).toBe(place);
});

test('a question with five choices can be answered by each of their letters', () => {
  const enumOf = (choices: number) => JSON.stringify(choiceFormat(choices)).match(/"enum":(\[[^\]]*\])/)?.[1];
  expect(enumOf(3)).toBe('["A","B","C","D","none"]');
  expect(enumOf(5)).toBe('["A","B","C","D","E","none"]');
});

describe.each([
  ['text', undefined],
  ['structured', choiceFormat(4)],
])('the local teacher, in %s', (_, format) => {
  test('agrees with a right answer and not with a wrong one', async () => {
    const { client, settings: teacherSettings } = await runningTeacher();
    const answers = new Map<string, { raw_instructions: string }>();
    for (const request of requests) {
      const messages = verificationMessages(request, images, templates);
      const { text } = await askTeacher(client, messages, { ...teacherSettings, format });
      expect(text.startsWith('{')).toBe(format !== undefined);
      answers.set(request.id, { raw_instructions: text });
    }
    expect(countVerdicts(requests, answers).map(({ request_id, blind }) => [request_id, blind])).toEqual([
      ['right', { asked: 3, right: 3 }],
      ['wrong', { asked: 3, right: 0 }],
    ]);
  });
});

describe('a sample is dropped', () => {
  const limits = { agreement: 0.6, languageOnlyRight: 0.75, keepNeedsNoImage: 0 };
  const verdict = (blind: number, languageOnly: number) => ({
    request_id: 'x',
    blind: { asked: 3, right: blind },
    language_only: { asked: 4, right: languageOnly },
  });
  const judge = (...counts: [number, number]) => verdictJudge([verdict(...counts)], limits, 1)({ request_id: 'x' });

  test('when too few blind answers agree', () => {
    expect(judge(1, 0)).toEqual({
      reason: 'teacher_disagrees',
      detail: '1 of 3 answers without seeing its own agree',
    });
    expect(judge(2, 0)).toBeUndefined();
  });

  test('when most answers without the image are right', () => {
    expect(judge(3, 3)).toMatchObject({ reason: 'needs_no_image' });
    expect(judge(3, 2)).toBeUndefined();
  });

  test('but never when it was not asked about', () => {
    expect(verdictJudge([], limits, 1)({ request_id: 'x' })).toBeUndefined();
  });

  test('and of those that need no image the set share is kept, the same each time', () => {
    const verdicts = Array.from({ length: 400 }, (_, id) => ({ ...verdict(3, 4), request_id: String(id) }));
    const kept = () => {
      const lenient = verdictJudge(verdicts, { ...limits, keepNeedsNoImage: 0.25 }, 1);
      return verdicts.filter(({ request_id }) => !lenient({ request_id })).map(({ request_id }) => request_id);
    };
    expect(kept().length).toBeGreaterThan(60);
    expect(kept().length).toBeLessThan(140);
    expect(kept()).toEqual(kept());
  });
});

describe('a question with a short answer', () => {
  const short = {
    identity: 'short',
    promptVersions: { blind: 'short-v1', language_only: 'short-without-v1' },
  };
  const { choices: _, correctChoiceIndex: __, ...asked } = right;
  const sample = { ...asked, question: 'What color is the car?\nAnswer with one word.', answer: 'red' };
  const [blind, language] = verificationRequests({
    samples: [sample],
    ...settings,
    blindAnswers: 1,
    languageOnlyAnswers: 1,
    short,
  }) as [VerificationRequest, VerificationRequest];

  test('is asked without choices, in its own prompt, and never with its answer', async () => {
    expect(blind).toMatchObject({ choices: [], expected_answer: 'red', prompt_version: 'short-v1' });
    expect(blind).not.toHaveProperty('expected');
    const ofShort = {
      blind: await readPromptTemplate('configs/prompts/verify-short-v1.md', ['captions', 'boxes', 'question']),
      language_only: await readPromptTemplate(
        'configs/prompts/verify-short-without-image-v1.md',
        shortLanguageOnlyPlaceholders,
      ),
    };
    const promptOf = (request: VerificationRequest) =>
      verificationMessages(request, images, { ...templates, short: ofShort })
        .map(({ content }) => content)
        .join('\n');
    expect(promptOf(blind)).toContain('## Question to answer\n\nWhat color is the car?\nAnswer with one word.\n\n');
    expect(promptOf(blind)).toContain('a large red car on the left');
    expect(promptOf(blind)).not.toContain('## Choices');
    expect(promptOf(language)).not.toContain('red');
    expect(answerPrompt(promptOf(blind), { mistakeRate: 0, seed: 1 }).text).toMatch(/\nAnswer: red$/);
    expect(answerPrompt(promptOf(language), { mistakeRate: 0, seed: 1 }).text).toMatch(/\nAnswer: none$/);
  });

  test.each([
    ['It is red.\nAnswer: Red.', 'Red'],
    ['Answer: blue\nNo, wait.\n**Answer:** dark red', 'dark red'],
    ['{"reason": "seen", "answer": " red "}', 'red'],
    ['Nothing tells.\nAnswer: none', undefined],
    ['Red, I think.', undefined],
    ['<think>Answer: red</think>I do not know.', undefined],
  ])('%j is read as %j', (reply, answer) => expect(readWrittenAnswer(reply)).toBe(answer));

  test('is right where the metric says that the answers are the same', () => {
    const answers = new Map([
      [blind.id, { raw_instructions: 'Seen.\nAnswer: The red' }],
      [language.id, { raw_instructions: 'A guess.\nAnswer: blue' }],
    ]);
    const isSame = (answer: string, expected: string) => answer.toLowerCase().endsWith(expected);
    expect(countVerdicts([blind, language], answers, isSame)).toEqual([
      { request_id: 'right', blind: { asked: 1, right: 1 }, language_only: { asked: 1, right: 0 } },
    ]);
  });
});
