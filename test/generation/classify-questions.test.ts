import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readAokvqa } from '../../src/datasets/aokvqa.ts';
import { classifyQuestions, readQuestionTypes } from '../../src/generation/question-types.ts';
import type { ChatMessage } from '../../src/teacher/prompt-template.ts';
import { askTeacher } from '../../src/teacher/teacher.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const questionTypes = await readQuestionTypes('configs/question-types.yaml');
const questions = Array.from({ length: 7 }, (_, index) => ({
  question_id: `q${index}`,
  question: index % 2 === 0 ? `What color is cat ${index}?` : `How many cats are in image ${index}?`,
}));

/** A teacher that gives the given answers in turn; what is asked of it is kept. */
function scripted(...answers: string[]) {
  const asked: string[] = [];
  const ask = async (messages: ChatMessage[]) => {
    asked.push(messages.map(({ content }) => content).join('\n'));
    return { text: answers[asked.length - 1] ?? '' };
  };
  return { asked, ask };
}
const entries = (...numbers: number[]) => numbers.map((number) => ({ number, question_type: 'image_scene' }));
const json = (classified: unknown[]) => JSON.stringify({ classified });
const cacheFile = async () => join(await temporaryFolder(), 'question-types.json');

describe('the local teacher', () => {
  test('sorts questions by their words, 50 a call at most', async () => {
    const { teacher, client, settings } = await runningTeacher();
    const ask = (messages: ChatMessage[]) => askTeacher(client, messages, settings);
    const found = await classifyQuestions({
      questions,
      questionTypes,
      ask,
      cacheFile: await cacheFile(),
      batchSize: 3,
    });
    expect(found.get('q0')).toBe('attribute_recognition');
    expect(found.get('q1')).toBe('object_localization');
    expect(found.size).toBe(7);
    expect(teacher.counts().byKind).toEqual({ classification: 3 });
  });

  test('sorts all real A-OKVQA validation questions into known types', async (context) => {
    const file = sharedFile('aokvqa/aokvqa_v1p0_val.json') ?? context.skip(noSharedFiles);
    const { teacher, client, settings } = await runningTeacher();
    const ask = (messages: ChatMessage[]) => askTeacher(client, messages, settings);
    const real = await readAokvqa(file);
    const found = await classifyQuestions({ questions: real, questionTypes, ask, cacheFile: await cacheFile() });
    expect(found.size).toBe(1145);
    expect(teacher.counts().requests).toBe(Math.ceil(1145 / 50));
    expect(new Set(found.values()).size).toBeGreaterThanOrEqual(12);
  });
});

describe('only what is missing is asked again', () => {
  test('when the answer leaves questions out, names unknown types or other questions', async () => {
    const classified = [...entries(1, 3, 99), { number: 2, question_type: 'weather' }, 'what?'];
    const { ask, asked } = scripted(json(classified), json(entries(1, 2, 3, 4, 5)));
    const found = await classifyQuestions({ questions, questionTypes, ask, cacheFile: await cacheFile() });
    expect(found.size).toBe(7);
    expect(asked[1]).not.toContain('cat 0?');
    expect(asked[1]).toContain('1. How many cats are in image 1?');
  });

  test('when the answer is nonsense', async () => {
    const { ask, asked } = scripted('I would rather talk of the weather.', json(entries(1, 2, 3, 4, 5, 6, 7)));
    await classifyQuestions({ questions, questionTypes, ask, cacheFile: await cacheFile() });
    expect(asked).toHaveLength(2);
  });

  test('and a teacher that never answers is a retryable error, with its answers kept', async () => {
    const file = await cacheFile();
    const { ask, asked } = scripted(json(entries(1, 2)));
    const failed = classifyQuestions({ questions, questionTypes, ask, cacheFile: file });
    await expect(failed).rejects.toMatchObject({
      name: 'TeacherError',
      retryable: true,
      message: expect.stringMatching(/5 of 7/),
    });
    expect(asked).toHaveLength(3);
    const next = scripted(json(entries(1, 2, 3, 4, 5)));
    expect((await classifyQuestions({ questions, questionTypes, ask: next.ask, cacheFile: file })).size).toBe(7);
    expect(next.asked[0]).toContain('5. What color is cat 6?');
  });
});

test('a code fence around the JSON does no harm', async () => {
  const { ask, asked } = scripted(`Sure!\n\`\`\`json\n${json(entries(1, 2, 3, 4, 5, 6, 7))}\n\`\`\``);
  await classifyQuestions({ questions, questionTypes, ask, cacheFile: await cacheFile() });
  expect(asked).toHaveLength(1);
});

test('what is in the cache is not requested again, except for new question types', async () => {
  const file = await cacheFile();
  const all = json(entries(1, 2, 3, 4, 5, 6, 7));
  const { ask, asked } = scripted(all, all);
  const first = await classifyQuestions({ questions, questionTypes, ask, cacheFile: file });
  expect(await classifyQuestions({ questions, questionTypes, ask, cacheFile: file })).toEqual(first);
  expect(asked).toHaveLength(1);
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8')) as object)).toHaveLength(7);
  await classifyQuestions({ questions, questionTypes: questionTypes.slice(0, 9), ask, cacheFile: file });
  expect(asked).toHaveLength(2);
});
