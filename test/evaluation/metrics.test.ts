import { describe, expect, test } from 'vitest';
import { directAnswerScore, scoreAokvqa } from '../../evaluation/metrics.ts';
import { evaluated } from './questions.ts';

describe('directAnswerScore', () => {
  const answers = ['boxing', 'boxing', 'boxing', 'wii', 'wii', 'game', 'box', 'ring', 'Fight', 'sport'];

  test('an answer that three people gave is right', () => expect(directAnswerScore('boxing', answers)).toBe(1));
  test('more than three people make it no righter', () =>
    expect(directAnswerScore('boxing', [...answers, 'boxing'])).toBe(1));
  test('two people make it two thirds right', () => expect(directAnswerScore('wii', answers)).toBeCloseTo(2 / 3, 12));
  test('an answer that nobody gave is wrong', () => expect(directAnswerScore('tennis', answers)).toBe(0));
  test('case and outer blanks do not count', () => expect(directAnswerScore(' fight', answers)).toBeCloseTo(1 / 3, 12));
});

describe('scoreAokvqa', () => {
  const right = { model_choice_idx: 0, model_answer: 'baseball' };

  test('multiple choice is the share of correct choices, in percent', () => {
    const scores = scoreAokvqa([evaluated(right), evaluated(), evaluated(), evaluated(right)]);
    expect(scores).toMatchObject({ multipleChoice: 50, questions: 4 });
  });

  test('direct answer leaves out questions marked difficult', () => {
    const scores = scoreAokvqa([evaluated(right), evaluated({ difficult_direct_answer: true })]);
    expect(scores).toMatchObject({ directAnswer: 100, directAnswerQuestions: 1, multipleChoice: 50 });
  });

  test('direct answer looks at the words of the choice, not at its being correct', () => {
    const wrongButSaid = evaluated({ direct_answers: ['lacrosse', 'lacrosse', ...Array(8).fill('hockey')] });
    expect(scoreAokvqa([wrongButSaid]).directAnswer).toBeCloseTo(200 / 3, 10);
  });

  test('errors are counted by type', () => {
    const scores = scoreAokvqa([evaluated(), evaluated(right), evaluated({ question_type: 'image_scene', ...right })]);
    expect(scores.errorByType).toEqual({ identity_reasoning: 0.5, image_scene: 0 });
  });

  test('nothing evaluated scores 0', () => {
    expect(scoreAokvqa([])).toMatchObject({ multipleChoice: 0, directAnswer: 0, errorByType: {} });
  });
});
