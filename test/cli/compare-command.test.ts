import { describe, expect, test } from 'vitest';
import { formatComparisons } from '../../cli/compare-command.ts';
import type { Comparison } from '../../src/evaluation/compare-models.ts';

const comparison: Comparison = {
  ...{ set: 'validation', title: 'Validation', measure: 'multipleChoice', count: 60, leftOut: 0, images: 15 },
  ...{ first: 0.267, second: 0.333, difference: { value: 0.067, low: 0.017, high: 0.133 } },
  ...{ onlyFirst: 0, onlySecond: 4, test: 'sign-flip', pValue: 0.125, adjustedPValue: 0.25 },
};

describe('two evaluations compared', () => {
  test('are a table where the terminal is wide enough for it', () => {
    for (const columns of [undefined, 160]) {
      const text = formatComparisons([comparison], columns);
      expect(text).toContain('│ validation │ multiple choice │        60 │    26.7 │     33.3 │ +6.7 (+1.7 to +13.3)');
    }
  });

  test('are sentences where it has 80 columns', () => {
    expect(formatComparisons([comparison], 80).split('\n')).toEqual([
      'validation, multiple choice, 60 questions',
      '  26.7 % and 33.3 %: +6.7 points (95 % CI +1.7 to +13.3), p 0.125, by Holm 0.250',
      '  right in the first alone: 0; in the second alone: 4',
      'validation, multiple choice: 60 questions about 15 images; interval and p are by image.',
    ]);
  });

  test('say nothing of answers that are right in one alone where answers are more than right or wrong', () => {
    const { onlyFirst: _, onlySecond: __, adjustedPValue: ___, ...partial } = comparison;
    const text = formatComparisons([partial], 80);
    expect(text).not.toContain('alone');
    expect(text).not.toContain('Holm');
  });
});
