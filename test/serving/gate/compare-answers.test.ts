import { expect, test } from 'vitest';
import type { Alternative } from '../../../src/serving/engine.ts';
import { meanLoss } from '../../../src/serving/gate/ask-engine.ts';
import { compareAnswers, type GateAnswer, tolerances } from '../../../src/serving/gate/compare-answers.ts';

const token = (text: string, ...others: [string, number][]) => ({
  text,
  top: [[text, -0.5] as const, ...others].map(([text, logprob], id): Alternative => ({ id, text, logprob })),
});
const red: GateAnswer = {
  id: '1',
  losses: [0.5, 1.5],
  text: 'a red bus',
  tokens: ['a', ' red', ' bus'].map((text) => token(text)),
};

function compared(other: Partial<GateAnswer>, one: Partial<GateAnswer> = {}, tolerance: number = tolerances.float32) {
  const answers = (name: string, changes: Partial<GateAnswer>) => ({ name, answers: [{ ...red, ...changes }] });
  return compareAnswers(answers('merged', one), answers('served', other), tolerance);
}

test('two that give one answer', () => {
  expect(compared({ losses: [0.5009, 1.4991] })).toEqual({
    between: ['merged', 'served'],
    questions: 1,
    compared: 'losses and texts',
    sameChoices: 1,
    largestLossDifference: expect.closeTo(0.0009, 6),
    sameTexts: 1,
    nearTies: 0,
  });
});

test.each([
  [
    'beyond the tolerance',
    [0.5, 1.502],
    /the loss of choice 2 is 1\.50000 of merged and 1\.50200 of served, which differ by 0\.0020/,
  ],
  ['that is no number', [Number.NaN, 1.5], /the loss of choice 1 is 0\.50000 of merged and NaN of served/],
  ['that is missing', [0.5], /the loss of choice 2 is 1\.50000 of merged and NaN of served/],
])('a loss %s is a difference', (_, losses, problem) => {
  expect(compared({ losses }).difference).toEqual({ question: '1', problem: expect.stringMatching(problem) });
});

test('bfloat16 has a wider tolerance', () => {
  expect(compared({ losses: [0.52, 1.5] }, {}, tolerances.bfloat16).difference).toBeUndefined();
  expect(compared({ losses: [0.52, 1.5] }).difference).toBeDefined();
});

test('one choice in 200 may differ, where the losses of two are nearly the same; two may not', () => {
  const answers = (name: string, others: number) => ({
    name,
    answers: Array.from({ length: 200 }, (_, index): GateAnswer => {
      const losses = index >= 50 && index < 50 + others ? [1.0002, 1] : [1, 1.0002];
      return { ...red, id: `${index}`, losses };
    }),
  });
  expect(compareAnswers(answers('merged', 0), answers('served', 1), 1e-3)).toMatchObject({ sameChoices: 199 });
  expect(compareAnswers(answers('merged', 0), answers('served', 1), 1e-3).difference).toBeUndefined();
  expect(compareAnswers(answers('merged', 0), answers('served', 2), 1e-3).difference).toEqual({
    question: '50',
    problem: 'merged chooses choice 1, served choice 2',
  });
});

test('choices of the same words have one loss but for rounding, and are the same choice', () => {
  const [one, other] = [
    [1, 1.000001, 2],
    [1.000001, 1, 2],
  ];
  expect(compared({ losses: other }, { losses: one })).toMatchObject({ sameChoices: 1 });
});

test.each([
  ['with a candidate as likely', { tokens: [token('a'), token(' red', [' blue', -0.5009]), token(' bus')] }],
  ['with a part of it', { tokens: [token('a'), token(' red', [' b', -0.5]), token(' bus')] }],
])('texts may part at a near tie, %s', (_, changes) => {
  expect(compared({ text: 'a blue car', tokens: undefined }, changes)).toMatchObject({ sameTexts: 0, nearTies: 1 });
  expect(compared({ text: 'a blue car', tokens: undefined }, changes).difference).toBeUndefined();
});

test('a text may end at a near tie with an end token', () => {
  const tokens = [token('a'), token(' red'), token(' bus', ['</s>', -0.5005])];
  expect(compared({ text: 'a red', tokens: tokens.slice(0, 2) }, { tokens }).difference).toBeUndefined();
});

test.each([
  ['a candidate that is less likely', [token('a'), token(' red', [' blue', -0.6])]],
  ['a candidate that the other text does not go on with', [token('a'), token(' red', [' green', -0.5])]],
  ['no candidates', undefined],
])('texts that part at %s are a difference', (_, tokens) => {
  const { difference } = compared({ text: 'a blue car', tokens: undefined }, { tokens });
  const at = tokens ? ', from token 2 on' : '';
  expect(difference).toEqual({ question: '1', problem: `merged writes "a red bus", served "a blue car"${at}` });
});

test('without losses of one of the two, texts alone are compared, and the result says so', () => {
  const result = compared({ losses: undefined });
  expect(result).toEqual({ between: ['merged', 'served'], questions: 1, compared: 'texts', sameTexts: 1, nearTies: 0 });
  expect(compared({ losses: undefined, text: 'a car', tokens: undefined }).difference).toBeDefined();
});

test('a question that one of the two can not score has its text compared, the others their losses too', () => {
  const answers = (name: string, ...changes: Partial<GateAnswer>[]) => ({
    name,
    answers: changes.map((change, index): GateAnswer => ({ ...red, id: `${index}`, ...change })),
  });
  const one = answers('merged', {}, { losses: undefined }, {});
  expect(compareAnswers(one, answers('served', {}, {}, {}), 1e-3)).toEqual({
    between: ['merged', 'served'],
    questions: 3,
    compared: 'losses and texts',
    scored: 2,
    sameChoices: 2,
    largestLossDifference: 0,
    sameTexts: 3,
    nearTies: 0,
  });
  expect(compareAnswers(one, answers('served', {}, {}, { losses: [0.6, 1.5] }), 1e-3).difference?.question).toBe('2');
  expect(compareAnswers(one, answers('served', {}, { text: 'a car', tokens: [] }, {}), 1e-3).difference).toBeDefined();
});

test('a token without a log-probability is no token without a loss', () => {
  const ids = [1, 2, 3, 4];
  expect(meanLoss({ ids, logprobs: [null, -9, -1, -2] }, [1, 2, 9])).toBe(1.5);
  expect(meanLoss({ ids, logprobs: [null, -9, null, -2] }, [1, 2, 9])).toBeUndefined();
});

test('the first difference is shown, whatever its kind', () => {
  const answers = (name: string, ...changes: Partial<GateAnswer>[]) => ({
    name,
    answers: changes.map((change, index): GateAnswer => ({ ...red, id: `${index}`, ...change })),
  });
  const one = answers('merged', {}, {}, {});
  const other = answers('served', {}, { losses: [0.5003, 0.5001] }, { text: 'no', tokens: undefined });
  expect(compareAnswers(one, other, 2).difference?.question).toBe('1');
});

test('answers to other questions are no answers to these', () => {
  const one = { name: 'merged', answers: [red] };
  expect(() => compareAnswers(one, { name: 'served', answers: [{ ...red, id: '2' }] }, 1)).toThrow(
    'has no answer to 1',
  );
});
