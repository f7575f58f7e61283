import { describe, expect, test } from 'vitest';
import { directAnswerScore } from '../../src/evaluation/direct-answer-score.ts';

describe('directAnswerScore', () => {
  const answers = ['boxing', 'boxing', 'boxing', 'wii', 'wii', 'game', 'box', 'ring', 'Fight', 'sport'];

  test('an answer that three people gave is right', () => expect(directAnswerScore('boxing', answers)).toBe(1));
  test('more than three people make it no righter', () =>
    expect(directAnswerScore('boxing', [...answers, 'boxing'])).toBe(1));
  test('two people make it two thirds right', () => expect(directAnswerScore('wii', answers)).toBeCloseTo(2 / 3, 12));
  test('an answer that nobody gave is wrong', () => expect(directAnswerScore('tennis', answers)).toBe(0));
  test('case and outer blanks do not count', () => expect(directAnswerScore(' fight', answers)).toBeCloseTo(1 / 3, 12));
});
