import type { AokvqaQuestion } from '../datasets/aokvqa.ts';

/** Which questions have a type, and which still need one (from the teacher). */
export interface KnownQuestionTypes {
  /** Question id → question type. */
  types: Map<string, string>;
  missing: AokvqaQuestion[];
}

/**
 * Finds the type of each question: its own `question_type`, else that of the same question in a classified
 * file (`aokvqa_v1p0_val_classified.json`). Official A-OKVQA questions have none.
 */
export function knownQuestionTypes(
  questions: readonly AokvqaQuestion[],
  classified: readonly AokvqaQuestion[] = [],
): KnownQuestionTypes {
  const classifiedTypes = new Map(classified.map((question) => [question.question_id, question.question_type]));
  const types = new Map<string, string>();
  const missing: AokvqaQuestion[] = [];
  for (const question of questions) {
    const type = question.question_type ?? classifiedTypes.get(question.question_id);
    if (type === undefined) missing.push(question);
    else types.set(question.question_id, type);
  }
  return { types, missing };
}
