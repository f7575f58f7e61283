import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extractWithTeacher } from '../../src/evaluation/extract-with-teacher.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const choices = [
  { letter: 'A', text: 'teddy bear' },
  { letter: 'B', text: 'cat' },
];
const unclear = (answer: string) => ({ question: 'What is it?', choices, answer });

test('asks once for each answer, and reads the reply by the same rules', async () => {
  const file = join(await temporaryFolder(), 'replies.jsonl');
  const asked: string[] = [];
  const replyTo = (prompt: string) =>
    prompt.includes('Answer: kitten') ? 'B' : prompt.includes('Answer: lamp') ? 'Z' : '?';
  const ask = async (prompt: string) => {
    asked.push(prompt);
    return replyTo(prompt);
  };
  const answers = [unclear('kitten'), unclear('lamp'), unclear('mumble'), unclear('kitten')];
  const wanted = [{ letter: 'B' }, 'none', undefined, { letter: 'B' }];
  expect(await extractWithTeacher(answers, { ask, file, concurrency: 2 })).toEqual(wanted);
  expect(asked).toHaveLength(3);
  expect(asked[0]).toContain('Options: A. teddy bear B. cat\nAnswer: kitten\nReply:');

  expect(await extractWithTeacher(answers, { ask, file, concurrency: 2 })).toEqual(wanted);
  expect(asked).toHaveLength(3);
});

test('what was replied before a failure is kept', async () => {
  const file = join(await temporaryFolder(), 'replies.jsonl');
  const asked: string[] = [];
  const failing = async (prompt: string) => {
    asked.push(prompt);
    if (prompt.includes('lamp')) throw new Error('no teacher');
    return 'B';
  };
  const answers = [unclear('kitten'), unclear('lamp')];
  await expect(extractWithTeacher(answers, { ask: failing, file, concurrency: 1 })).rejects.toThrow('no teacher');
  const ask = async () => 'A';
  expect(await extractWithTeacher(answers, { ask, file, concurrency: 1 })).toEqual([{ letter: 'B' }, { letter: 'A' }]);
});
