import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { PromptSample } from '../../src/generation/prompt-optimization/prompt-samples.ts';
import { writePromptVersion } from '../../src/generation/prompt-optimization/prompt-versions.ts';
import {
  diagnosePlaceholders,
  revisePlaceholders,
  revisePrompt,
} from '../../src/generation/prompt-optimization/revise-prompt.ts';
import { type ChatMessage, readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { askTeacher } from '../../src/teacher/teacher.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const file = 'configs/prompts/generate-v1.md';
const prompt = await readFile(file, 'utf8');
const templates = {
  diagnose: await readPromptTemplate('configs/prompts/diagnose-v1.md', diagnosePlaceholders),
  revise: await readPromptTemplate('configs/prompts/revise-v1.md', revisePlaceholders),
};
const sample: PromptSample = {
  id: 'abc',
  image_id: 1,
  question_type: 'image_scene',
  images: 'same',
  prompt: '## Captions\n\n- a cat on a mat\n- a cat\n\n## Objects\n\ncat: [0, 0, 1, 1]',
  answer: 'Question: What is here?',
  problem: 'missing_part: no choices',
};
const input = {
  prompt,
  samples: [sample],
  verdicts: [{ sample: 'abc', verdict: 'bad' as const, comment: 'all four parts\nmust be there' }],
  templates,
};

/** A teacher that gives the answers in turn, the last one again and again; what it is asked is kept. */
function scripted(...answers: string[]) {
  const asked: string[] = [];
  const ask = async (messages: ChatMessage[]) => {
    asked.push(messages.map(({ content }) => content).join('\n'));
    return { text: answers[Math.min(asked.length, answers.length) - 1] as string };
  };
  return { asked, ask };
}
const body = prompt.replace(/^---\n[\s\S]*?\n---\n/, '').trim();
const proposal = (text: string) => `Sure!\n<prompt>\n${text}\n</prompt>`;

test('the local teacher makes a complaint a rule', async () => {
  const { client, settings } = await runningTeacher();
  const { text, diff, diagnosis } = await revisePrompt({
    ...input,
    ask: (messages) => askTeacher(client, messages, settings),
  });
  expect(diagnosis).toContain('all four parts must be there');
  expect(text).toBe(prompt.replace('are wrong.\n\n##', 'are wrong.\n13. All four parts must be there.\n\n##'));
  const changed = diff.split('\n').filter((line) => /^[+-](?![+-])/.test(line));
  expect(changed).toEqual(['+13. All four parts must be there.']);
});

describe('the teacher is asked', () => {
  test('first what was confusing, with prompt, answer, facts and verdict, then for a revision with its reply', async () => {
    const { ask, asked } = scripted('Rule 3 confused me.', proposal(`${body}\nOne more.`));
    await revisePrompt({ ...input, comment: 'be brief', ask });
    expect(asked).toHaveLength(2);
    for (const text of asked) {
      expect(text).toContain('{{captions}}');
      expect(text).toContain('- bad: all four parts must be there');
      expect(text).toContain('a cat on a mat a cat');
      expect(text).toContain('It would be dropped (missing_part: no choices).');
      expect(text).toContain('- in general: be brief');
    }
    expect(asked[1]).toContain('Rule 3 confused me.');
  });

  test('again, with the problem, when its proposal can not be used', async () => {
    const { ask, asked } = scripted(
      'Hm.',
      'I would rather not.',
      proposal(body),
      proposal(body.replace('{{captions}}', 'captions')),
    );
    await expect(revisePrompt({ ...input, ask })).rejects.toMatchObject({
      name: 'TeacherError',
      retryable: false,
      message: expect.stringContaining('has no place {{captions}}'),
    });
    expect(asked).toHaveLength(4);
    expect(asked[2]).toContain("can't be used: it was not between <prompt> and </prompt>");
    expect(asked[3]).toContain("can't be used: it is the same as before");
  });
});

describe('a version', () => {
  test('takes the next free number, and never writes over another', async () => {
    const folder = await temporaryFolder();
    await copyFile(file, join(folder, 'generate-v1.md'));
    await writeFile(join(folder, 'generate-v2.md'), 'of somebody else');
    const written = await writePromptVersion({ folder, version: 'generate-v1', text: prompt });
    expect(written).toEqual({ version: 'generate-v3', file: join(folder, 'generate-v3.md') });
    expect((await readPromptTemplate(written.file)).version).toBe('generate-v3');
    expect(await readFile(join(folder, 'generate-v2.md'), 'utf8')).toBe('of somebody else');
  });

  test('is written once, though the work is done again', async () => {
    const folder = await temporaryFolder();
    const first = await writePromptVersion({ folder, version: 'generate-v1', text: prompt });
    expect(await writePromptVersion({ folder, version: 'generate-v1', text: prompt })).toEqual(first);
  });
});
