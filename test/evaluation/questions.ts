import type { AokvqaQuestion } from '../../src/datasets/aokvqa.ts';
import type { EvaluatedQuestion } from '../../src/evaluation/bad-cases.ts';

/** An A-OKVQA question for tests; whatever matters to a test is given. */
export function question(values: Partial<AokvqaQuestion> = {}): AokvqaQuestion {
  return {
    split: 'val',
    image_id: 370270,
    question_id: 'q1',
    question: 'What sport are they mimicking?',
    choices: ['baseball', 'lacrosse', 'cricket', 'basketball'],
    correct_choice_idx: 0,
    direct_answers: Array.from({ length: 10 }, () => 'baseball'),
    difficult_direct_answer: false,
    rationales: [],
    ...values,
  };
}

/** The same, answered by a model. */
export function evaluated(values: Partial<EvaluatedQuestion> = {}): EvaluatedQuestion {
  const { split: _, rationales: __, ...official } = question();
  return {
    ...official,
    idx: official.question_id,
    image_path: 'val2017/000000370270.jpg',
    prompt:
      'Question: What sport are they mimicking?\n' +
      'Choices: (A) baseball (B) lacrosse (C) cricket (D) basketball\n' +
      'Answer: The answer is (A): baseball.\n' +
      'Question type: identity reasoning',
    model_answer: 'lacrosse',
    model_choice_idx: 1,
    losses: [2, 1, 3, 4],
    question_type: 'identity_reasoning',
    ...values,
  };
}
