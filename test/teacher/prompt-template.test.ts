import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fillTemplate, readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const settings = 'version: v9\nmodel: gpt-4\ntemperature: 0.7\ntopP: 0.9\nmaximumTokens: 800';

async function readText(text: string) {
  const file = join(await temporaryFolder(), 'prompt.md');
  await writeFile(file, text);
  return readPromptTemplate(file, ['topic']);
}

test("the shipped prompt has the reference system's settings", async () => {
  expect(await readPromptTemplate('configs/prompts/generate-v1.md')).toMatchObject({
    version: 'generate-v1',
    model: 'gpt-4',
    temperature: 0.7,
    topP: 0.9,
    maximumTokens: 800,
  });
});

test('a prompt has a system part and a user part, filled with values', async () => {
  const template = await readText(`---\n${settings}\n---\n# System\n\nBe kind.\n\n# User\n\nTell of {{topic}}.\n`);
  expect(fillTemplate(template, { topic: 'cats' })).toEqual([
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Tell of cats.' },
  ]);
});

test('a value is plain text: neither placeholders nor patterns in it are replaced', async () => {
  const template = await readText(`---\n${settings}\n---\n# System\n\n# User\n{{topic}}`);
  expect(fillTemplate(template, { topic: '{{topic}} $& $1' })[1]?.content).toBe('{{topic}} $& $1');
});

test('another text has another hash', async () => {
  const texts = ['{{topic}}', '{{topic}}!'].map((user) => `---\n${settings}\n---\n# System\n\n# User\n${user}`);
  const [first, second] = await Promise.all(texts.map(readText));
  expect(first?.hash).not.toBe(second?.hash);
});

test.each([
  ['no front matter', '# System\n# User\n{{topic}}', /front matter/],
  ['a missing part', `---\n${settings}\n---\n# User\n{{topic}}`, /# System/],
  ['a missing place', `---\n${settings}\n---\n# System\n\n# User\nhello`, /\{\{topic\}\}/],
  ['an unknown place', `---\n${settings}\n---\n# System\n\n# User\n{{topic}} {{topik}}`, /unknown place \{\{topik\}\}/],
  ['an unknown setting', `---\n${settings}\nmood: good\n---\n# System\n\n# User\n{{topic}}`, /mood/],
  ['a wrong setting', `---\n${settings.replace('0.9', '9')}\n---\n# System\n\n# User\n{{topic}}`, /topP/],
])('%s is an error that says so', async (_, text, message) => {
  await expect(readText(text)).rejects.toThrow(message);
});
