import { describe, expect, test } from 'vitest';
import { countBy, emptyRecord, valueIn } from '../../src/core/records.ts';
import { countByType as countVersions } from '../../src/datasets/compare-versions.ts';
import { countByType, expectedGain } from '../../src/evaluation/expected-gain.ts';
import { findForgotten } from '../../src/evaluation/forgetting.ts';
import { typeAgreement } from '../../src/evaluation/type-agreement.ts';

/** Names that every ordinary object has. */
const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

test('a record takes any name as a key', () => {
  const record = emptyRecord<number>();
  for (const name of names) expect(record[name]).toBeUndefined();
  for (const name of names) record[name] = 1;
  expect(Object.keys(record)).toEqual(names);
  expect(JSON.parse(JSON.stringify(record))).toEqual(JSON.parse(`{${names.map((name) => `"${name}":1`).join(',')}}`));
});

test('an ordinary object has no value under a name that was not set', () => {
  for (const name of names) expect(valueIn({ counting: 1 }, name)).toBeUndefined();
  expect(valueIn({ counting: 1 }, 'counting')).toBe(1);
  expect(valueIn(undefined, 'counting')).toBeUndefined();
});

describe.each(names)('a question type named %s', (name) => {
  const answer = (id: string, isRight: boolean) => ({
    question_id: id,
    question_type: name,
    correct_choice_idx: 0,
    model_choice_idx: isRight ? 0 : 1,
    choices: ['a', 'b'],
  });
  const answers = [answer('1', true), answer('2', false)];

  test('is counted like any other', () => {
    expect(countBy(answers, ({ question_type }) => question_type)[name]).toBe(2);
    expect(countVersions(answers)[name]).toBe(2);
    expect(countByType(answers)[name]).toEqual({ asked: 2, wrong: 1 });
    expect(Object.keys(expectedGain({ results: [countByType(answers)], samplesAdded: [] }))).toEqual([name]);
    const types = new Map([['1', name]]);
    expect(typeAgreement(types, types).byType[name]).toEqual({ questions: 1, agreed: 1 });
    expect(Object.keys(findForgotten(new Map([[0, answers]]), answers))).toEqual([name]);
  });

  test('leaves nothing behind in other objects', () => {
    countByType(answers);
    countVersions(answers);
    typeAgreement(new Map([['1', name]]), new Map([['1', 'other']]));
    const fresh: Record<string, unknown> = {};
    expect([fresh.asked, fresh.questions, fresh.wrong, fresh.agreed]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
