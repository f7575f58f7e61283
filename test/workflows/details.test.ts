import { expect, test } from 'vitest';
import { compactRounds, describeRounds, describeSteps, describeWaiting } from '../../workflows/details.ts';
import type { RoundSummary, RunPlan } from '../../workflows/inputs.ts';

const plan = { run: 'tiny', directory: '/runs/tiny', rounds: 2 } as RunPlan;

function row(round: number): RoundSummary {
  const errorByType = Object.fromEntries(
    Array.from({ length: 18 }, (_, index) => [`a_question_type_with_a_long_name_${index}`, 0.123]),
  );
  const seconds = Object.fromEntries(
    ['embed', 'sample', 'generate', 'refine', 'append', 'finetune', 'merge', 'evaluate', 'classify'].map((name) => [
      name,
      1234.567,
    ]),
  );
  return {
    round,
    multipleChoice: 61.25,
    directAnswer: 50,
    testMultipleChoice: 58.333333333333336,
    badCases: 116,
    errorByType,
    samplesAdded: 500,
    samplesRejected: 50,
    datasetVersion: 'a'.repeat(64),
    teacherTokens: { prompt: 400_000, completion: 60_000 },
    seconds,
    gate: {
      accepted: true,
      by: 'test',
      reason: `not worse than round 0 ${'or so '.repeat(50)}`,
      builtOn: 0,
      lastGood: round,
      change: 1.25,
      pValue: 0.5,
      remembered: 180,
      forgotten: 12,
    },
  };
}

/** Cells end in a gap, for the UI has no padding. */
const withoutGaps = (text: string) => text.replaceAll('\u00a0', '');

test('rounds are described as a Markdown table', () => {
  const text = describeRounds({ plan, nextRound: 2, rounds: [row(0), row(1)] });
  expect(text).toContain('Round 2 of 2 is under way.');
  expect(withoutGaps(text)).toContain('| 1 | 61.3 | 50.0 | 58.3 | 500 | 11111 | yes |');
  expect(describeRounds({ plan, nextRound: 3, rounds: [] })).toContain('All rounds are done.');
  // Direct answers that are multiple choice to the digit have no column.
  const same = { ...row(1), directAnswer: 61.25 };
  expect(withoutGaps(describeRounds({ plan, nextRound: 2, rounds: [same] }))).toContain('| 1 | 61.3 | 58.3 | 500 |');
});

test('what a person should know of a run is below its rounds, as a text', () => {
  const notes = ['The gate can never reject a round: 4 questions are too few.', 'See [this](http://a)'];
  const text = describeRounds({ plan, nextRound: 1, rounds: [row(0)], notes });
  expect(text.split('\n').slice(-4)).toEqual([
    '',
    '**Note**: The gate can never reject a round: 4 questions are too few.',
    '',
    '**Note**: See \\[this\\](http://a)',
  ]);
});

test('steps are described as a Markdown table', () => {
  const text = describeSteps(1, [
    { name: 'sample', state: 'done', seconds: 2.04, note: '600 requests' },
    { name: 'generate', state: 'running' },
  ]);
  expect(withoutGaps(text)).toContain('| sample | done | 2.0 | 600 requests |');
  expect(withoutGaps(text)).toContain('| generate | running |  |  |');
});

test('the rows in payloads stay below 10 KB however many rounds there are, the newest kept whole', () => {
  const rounds = Array.from({ length: 200 }, (_, round) => row(round));
  const kept = compactRounds(rounds);
  expect(JSON.stringify(kept).length).toBeLessThan(10_000);
  expect(kept.at(-1)).toEqual(rounds.at(-1));
});

test('a few rounds keep everything', () => {
  const rounds = [row(0), row(1), row(2)];
  expect(compactRounds(rounds)).toEqual(rounds);
});

test('a round that waits says what its samples cost, where the teacher is paid', () => {
  const compared = {
    builtOn: 0,
    change: -12.5,
    pValue: 0.25,
    worse: false,
    reason: 'drop of 12.5 points is not significant (p 0.25, 16 questions)',
    remembered: 9,
    forgotten: 1,
    samplesPage: 'page',
  };
  const generate = { promptTokens: 400, completionTokens: 60, cost: 1.5 };
  const waiting = (currency?: string) =>
    describeWaiting('tuesday', compared as Parameters<typeof describeWaiting>[1], {
      generate: { ...generate, currency } as Parameters<typeof describeWaiting>[2]['generate'],
      append: { samplesAdded: 5 },
    });
  expect(waiting('USD')).toContain('- Cost: 5 samples for 460 teacher tokens (1.50 USD).');
  expect(waiting()).toContain('- Cost: 5 samples for 460 teacher tokens.');
  expect(waiting()).toContain(
    '- Score, against round 0: drop of 12.5 points is not significant (p 0.25, 16 questions).',
  );
});
