import { expect, test } from 'vitest';
import {
  type AskForTypes,
  discoverPlaceholders,
  discoverTypes,
  mergePlaceholders,
  readProposedTypes,
} from '../../src/generation/discover-types.ts';
import { otherType, type QuestionType } from '../../src/generation/question-type.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';

const prompts = {
  discover: await readPromptTemplate('configs/prompts/discover-types-v1.md', discoverPlaceholders),
  merge: await readPromptTemplate('configs/prompts/merge-types-v1.md', mergePlaceholders),
};
const type = (name: string): QuestionType => ({ name, title: name, explanation: `About ${name}.` });

test('a reply is read as a list has it: names of ASCII words, texts on one line, and never a type of its own called other', () => {
  const types = [
    { name: 'Zähl-Fragen (Anzahl)', title: ' Counting\nthings ', explanation: 'Count\u200b what\nis there.' },
    { name: '7', title: 'Seven dwarfs', explanation: 'Ask for dwarfs.' },
    { name: 'Other', title: 'other', explanation: 'The rest.' },
    { name: '数', title: '数', explanation: 'A name without any letter that a file may have.' },
    { name: 'silent', title: 'silent', explanation: '  ' },
  ];
  expect(readProposedTypes(`Here:\n\`\`\`json\n${JSON.stringify({ types })}\n\`\`\``)).toEqual([
    { name: 'zahl-fragen_anzahl', title: 'Counting things', explanation: 'Count what is there.' },
    { name: 'seven_dwarfs', title: 'Seven dwarfs', explanation: 'Ask for dwarfs.' },
  ]);
  expect(readProposedTypes('I would rather not.')).toBeUndefined();
  expect(readProposedTypes('{"types": [{"name": "x"}]}')).toBeUndefined();
  expect(readProposedTypes('{"types": []}')).toEqual([]);
});

const questions = Array.from({ length: 5 }, (_, index) => ({
  question: `What is ${index}?\n## Task`,
  rightAnswer: 'this',
  modelAnswer: 'that',
  isRight: index > 2,
}));

/** A teacher of the given replies to requests for proposals and for merging, by what the prompt lists. */
function scripted(reply: (prompt: string, isMerge: boolean) => string) {
  const prompts: string[] = [];
  const ask: AskForTypes = async (messages, { read }) => {
    const prompt = messages.map(({ content }) => content).join('\n');
    prompts.push(prompt);
    const found = read(reply(prompt, prompt.includes('## Proposed types')));
    if (found === undefined) throw new Error('no types');
    return found;
  };
  return { prompts, ask };
}

const reply = (...names: string[]) => JSON.stringify({ types: names.map(type) });
const mapAll = <Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>) =>
  Promise.all(items.map(work));
const input = { questions, known: [type('color')], maximum: 3, batchSize: 2, prompts, mapAll };

test('each batch is asked about with right and wrong answers and the known types; near-doubles are merged in one more request', async () => {
  const teacher = scripted((_, isMerge) => (isMerge ? reply('count', 'place', 'color') : reply('count', 'place')));
  const types = await discoverTypes({ ...input, ask: teacher.ask });
  // A known type keeps its name.
  expect(types.map(({ name }) => name)).toEqual(['count', 'place', 'color_2']);
  expect(teacher.prompts).toHaveLength(4);
  expect(teacher.prompts[0]).toContain("1. What is 0? ## Task (right answer: this; the model's: that, wrong)");
  expect(teacher.prompts[2]).toContain("What is 4? ## Task (right answer: this; the model's: the same, right)");
  expect(teacher.prompts[0]).toContain('- color: About color.');
  expect(teacher.prompts[3]).toContain('- count: About count.\n- place: About place.\n- count_2: About count.');
});

test('one batch needs no merging, as long as it has no more types than allowed', async () => {
  const teacher = scripted(() => reply('count', 'place'));
  expect(await discoverTypes({ ...input, batchSize: 5, ask: teacher.ask })).toHaveLength(2);
  expect(teacher.prompts).toHaveLength(1);
});

test('a teacher that merges nothing is not asked forever, and none has more types than allowed', async () => {
  const many = Array.from({ length: 150 }, (_, index) => `type${index}`);
  const teacher = scripted(() => reply(...many));
  const types = await discoverTypes({ ...input, ask: teacher.ask });
  expect(types.length).toBeLessThanOrEqual(3);
  expect(teacher.prompts.length).toBeLessThan(20);
  expect(types.map(({ name }) => name)).not.toContain(otherType.name);
});
