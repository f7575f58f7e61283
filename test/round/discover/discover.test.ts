/**
 * Question types that are discovered in a run whose questions have none, through the steps.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { EvaluatedQuestion } from '../../../src/evaluation/bad-cases.ts';
import { readScores } from '../../../src/evaluation/evaluation-files.ts';
import type { QuestionType } from '../../../src/generation/question-type.ts';
import { append } from '../../../src/round/append/append.ts';
import { classify } from '../../../src/round/classify/classify.ts';
import { approveTypes, discover } from '../../../src/round/discover/discover.ts';
import { typeListFile } from '../../../src/round/discover/type-lists.ts';
import { embed } from '../../../src/round/embed/embed.ts';
import { evaluate } from '../../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { gate } from '../../../src/round/gate/gate.ts';
import { generate } from '../../../src/round/generate/generate.ts';
import { merge } from '../../../src/round/merge/merge.ts';
import { prepareData } from '../../../src/round/prepare-data/prepare-data.ts';
import { checkQuestionTypes } from '../../../src/round/question-types.ts';
import { refine } from '../../../src/round/refine/refine.ts';
import { sample } from '../../../src/round/sample/sample.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { readLedger } from '../../../src/teacher/ledger.ts';
import { temporaryFolderOfFile } from '../../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

let context: StepContext;
const inRound = (round: number): StepContext => ({ ...context, round });
const things = ['cat', 'car', 'dog', 'cup', 'bus', 'bird', 'boat', 'cake', 'chair', 'clock', 'apple', 'pizza'];
const colors = ['red', 'green', 'blue', 'yellow'];
const numbers = ['one', 'two', 'three', 'four'];

/** Two kinds of questions, without types. */
function untyped(split: string, firstImage: number, images: number) {
  return things.flatMap((thing, index) =>
    [
      { question: `What color is the ${thing}?`, choices: colors },
      { question: `How many ${thing}s are standing around?`, choices: numbers },
    ].map(({ question, choices }, kind) => ({
      split,
      image_id: firstImage + (index % images),
      question_id: `${split}-${kind}-${index}`,
      question,
      choices,
      correct_choice_idx: index % 4,
      direct_answers: Array.from({ length: 10 }, () => choices[index % 4]),
      difficult_direct_answer: false,
      rationales: ['One sees it.', 'It is so.', 'Look.'],
    })),
  );
}

beforeAll(async () => {
  const folder = await temporaryFolderOfFile();
  const configFile = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    questionTypes: { source: 'discover', approve: 'manual', newTypeFrom: 3 },
    // No list is read where types are discovered.
    data: { ...tiny.data, questionTypes: join(folder, 'no-such.yaml') },
    teacher: { ...tiny.teacher, mistakeRate: 0 },
  }));
  await writeQuestions(folder, 'val', untyped('val', 1001, 8));
  await writeQuestions(folder, 'test', untyped('test', 2001, 4));
  context = await tinyContext(configFile);
});

async function writeQuestions(folder: string, split: string, questions: object[]): Promise<void> {
  await writeFile(join(folder, 'data', 'A-OKVQA', `aokvqa_v1p0_${split}.json`), JSON.stringify(questions));
}

const answers = async (round: number): Promise<EvaluatedQuestion[]> =>
  JSON.parse(await readFile(join(context.run.root, `round-${round}`, 'evaluate', 'aokvqa_eval.json'), 'utf8'));
const listOf = async (round: number): Promise<QuestionType[]> =>
  parse(await readFile(typeListFile(context.run, round), 'utf8'));
const typeOf = (records: EvaluatedQuestion[], id: string) =>
  records.find(({ question_id }) => question_id === id)?.question_type;

describe.sequential('types are discovered', () => {
  test('after round 0 is evaluated: until then its answers have none, and are not classified', async () => {
    expect(await prepareData(inRound(0))).toMatchObject({ questions: 48 });
    await finetune(inRound(0));
    await merge(inRound(0));
    await evaluate(inRound(0));
    expect(new Set((await answers(0)).map(({ question_type }) => question_type))).toEqual(new Set(['unclassified']));
    await expect(classify(inRound(0))).rejects.toMatchObject({
      field: 'question_type',
      message: expect.stringContaining('dataengine discover --round 0'),
    });
    await expect(discover(inRound(1))).rejects.toMatchObject({ name: 'InputError' });
  });

  test('from the answers, and wait for a person; nothing is asked twice', async () => {
    const found = await discover(inRound(0));
    expect(found).toMatchObject({ waits: true, proposed: 2, types: 3, file: typeListFile(context.run, 0) });
    const list = await listOf(0);
    expect(list.map(({ name }) => name).at(-1)).toBe('other');
    expect(list[0]?.explanation).toMatch(/What color is the|How many/);
    const { cost: _, ...spent } = await readLedger(context.run.root);
    expect(await discover(inRound(0))).toMatchObject({ waits: true, reused: true });
    const { cost: __, ...spentThen } = await readLedger(context.run.root);
    expect(spentThen).toEqual(spent);
  });

  test('a list that a person has edited wrongly is refused by file and field, and not used', async () => {
    const file = typeListFile(context.run, 0);
    const list = await listOf(0);
    await writeFile(file, stringify([{ ...list[0], name: 'Two Words' }, ...list.slice(1)]));
    await expect(approveTypes(inRound(0), { by: 'person' })).rejects.toMatchObject({ file, field: '[0].name' });
    // Another proposal or another start does not undo what a person has written.
    expect(await discover(inRound(0)).catch((error) => error)).toMatchObject({ file, field: '[0].name' });
    await writeFile(file, stringify(list));
    expect(await discover(inRound(0))).toMatchObject({ waits: true });
  });

  test('an approved list, here without one of the types, sorts every question; two sortings are compared', async () => {
    const list = await listOf(0);
    const types = list.filter(({ name, explanation }) => name === 'other' || explanation.includes('What color'));
    expect(types).toHaveLength(2);
    const done = await discover(inRound(0), { by: 'person', types, comment: 'colors first' });
    expect(done).toMatchObject({ waits: false, types: 2, kappa: 1 });
    const records = await answers(0);
    expect(typeOf(records, 'val-0-3')).toBe(types[0]?.name);
    expect(typeOf(records, 'val-1-3')).toBe('other');
    const { measures } = await readScores(join(context.run.root, 'round-0', 'evaluate'));
    expect(new Set(Object.keys(measures.multipleChoice?.groups['question type'] ?? {}))).toEqual(
      new Set(types.map(({ name }) => name)),
    );
    const { errorByType } = await classify(inRound(0));
    expect(Object.keys(errorByType).sort()).toEqual([types[0]?.name, 'other'].sort());
    expect(await evaluate(inRound(0))).toMatchObject({ reused: true });
    const record = JSON.parse(await readFile(join(context.run.root, 'question-types', 'round-0.json'), 'utf8'));
    expect(record.approved).toEqual({ by: 'person', comment: 'colors first' });
  });

  test('types that are known after all are compared with the discovered ones, assigned one to one', async () => {
    const typed = untyped('val', 1001, 8).map((one, index) => ({
      ...one,
      question_type: ['hue', 'number'][index % 2],
    }));
    const file = join(context.config.data.root, 'A-OKVQA', 'aokvqa_v1p0_val_classified.json');
    await writeFile(file, JSON.stringify(typed));
    expect(await checkQuestionTypes(inRound(0))).toMatchObject({ questions: 24, share: 1, kappa: 1 });
  });

  test('a later round asks by the types of the rounds before, and adds a type for bad cases that fit none', async () => {
    await gate(inRound(0));
    await embed(inRound(1));
    await sample(inRound(1));
    expect((await generate(inRound(1))).answers).toBeGreaterThan(0);
    await refine(inRound(1));
    await append(inRound(1));
    await finetune(inRound(1));
    await merge(inRound(1));
    await evaluate(inRound(1));
    expect(typeOf(await answers(1), 'val-1-3')).toBe('other');

    expect(await discover(inRound(1))).toMatchObject({ waits: true, proposed: 1, types: 3 });
    const list = await listOf(1);
    expect(list.map(({ name }) => name)).toEqual([(await listOf(0))[0]?.name, expect.any(String), 'other']);
    expect(list[1]?.explanation).toContain('How many');
    expect(await discover(inRound(1), { by: 'person' })).toMatchObject({ waits: false, types: 3 });
    const records = await answers(1);
    expect(typeOf(records, 'val-0-3')).toBe(list[0]?.name);
    expect(typeOf(records, 'val-1-3')).toBe(list[1]?.name);
    expect(Object.keys((await classify(inRound(1))).errorByType)).toContain(list[1]?.name);
    // Round 0 keeps its own.
    expect(await evaluate(inRound(0))).toMatchObject({ reused: true });
    expect(typeOf(await answers(0), 'val-1-3')).toBe('other');
  });
});

test('a run with a list of types discovers none', async () => {
  const listed = { ...context, config: { ...context.config, questionTypes: { ...context.config.questionTypes } } };
  listed.config.questionTypes.source = 'file';
  await expect(discover(listed)).rejects.toMatchObject({ field: 'questionTypes.source' });
});
