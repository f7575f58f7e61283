/**
 * Question types that the local teacher discovers in the demo domain, over HTTP, with all types removed.
 */
import { expect, test } from 'vitest';
import { drawImages } from '../../../demo/scenes/images.ts';
import { balancedQuestions, type QuestionRecord } from '../../../demo/scenes/question-sets.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { alignTypes, typeAgreement } from '../../../src/evaluation/type-agreement.ts';
import {
  type AskForTypes,
  discoverPlaceholders,
  discoverTypes,
  mergePlaceholders,
} from '../../../src/generation/discover-types.ts';
import { otherType } from '../../../src/generation/question-type.ts';
import { classifyQuestions } from '../../../src/generation/question-types.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';
import { askTeacher } from '../../../src/teacher/teacher.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { runningTeacher } from './running-teacher.ts';

const prompts = {
  discover: await readPromptTemplate('configs/prompts/discover-types-v1.md', discoverPlaceholders),
  merge: await readPromptTemplate('configs/prompts/merge-types-v1.md', mergePlaceholders),
};

/** The demo's validation questions, of another seed than its own too. */
function demoQuestions(seed: number): QuestionRecord[] {
  const random = seededRandom(seed).fork('scenes');
  return balancedQuestions('val', drawImages(random.fork('val'), 300, 400_000), 2.5, random.fork('val questions'));
}

type Question = Pick<QuestionRecord, 'question_id' | 'question' | 'choices' | 'correct_choice_idx'>;

/** Discovers types from the texts of questions and answers, and sorts all questions twice by their texts. */
async function discoverAndSort(questions: readonly Question[]) {
  const { client, settings } = await runningTeacher();
  const options = { ...settings, maximumTokens: 4000 };
  const ask: AskForTypes = async (messages, { read }) => {
    const found = read((await askTeacher(client, messages, options)).text);
    if (found === undefined) throw new Error('no list of types');
    return found;
  };
  const random = seededRandom('test');
  const answered = random.shuffle(questions).map(({ question, choices, correct_choice_idx }, index) => {
    const isRight = index % 3 > 0;
    const modelAnswer = choices[(correct_choice_idx + (isRight ? 0 : 1)) % choices.length] as string;
    return { question, rightAnswer: choices[correct_choice_idx] as string, modelAnswer, isRight };
  });
  const types = await discoverTypes({
    questions: answered,
    known: [],
    maximum: 20,
    batchSize: 200,
    prompts,
    ask,
    mapAll: (items, work) => Promise.all(items.map(work)),
  });
  const cacheFile = `${await temporaryFolder()}/types.json`;
  const sort = (sorting: string) =>
    classifyQuestions({
      questions: random.fork(sorting).shuffle(questions),
      questionTypes: [...types, otherType],
      ask: (messages) => askTeacher(client, messages, options),
      cacheFile,
      sorting,
    });
  return { types, first: await sort('first'), second: await sort('second') };
}

test.each([1, 2, 3])('discovered types agree with the hidden ones of seed %i, assigned one to one', async (seed) => {
  const questions = demoQuestions(seed);
  const hidden = new Map(questions.map(({ question_id, question_type }) => [question_id, question_type]));
  const { types, first, second } = await discoverAndSort(questions);
  expect(types.length).toBeLessThanOrEqual(20);
  expect(first.size).toBe(questions.length);
  expect(typeAgreement(hidden, alignTypes(hidden, first)).kappa).toBeGreaterThanOrEqual(0.6);
  const between = typeAgreement(first, second).kappa;
  expect(between).toBeGreaterThan(0.9);
  expect(between).toBeLessThanOrEqual(1);
});

test.each([1, 2, 3])(
  'with the texts of questions shuffled, nothing is left of the agreement (seed %i)',
  async (seed) => {
    const questions = demoQuestions(seed);
    const hidden = new Map(questions.map(({ question_id, question_type }) => [question_id, question_type]));
    const texts = seededRandom(seed)
      .fork('shuffled')
      .shuffle(questions.map(({ question }) => question));
    const shuffled = questions.map((one, index) => ({ ...one, question: texts[index] as string }));
    const { first } = await discoverAndSort(shuffled);
    expect(typeAgreement(hidden, alignTypes(hidden, first)).kappa).toBeLessThan(0.1);
  },
);
