import { basename } from 'node:path';
import { aokvqaImagePath } from '../datasets/aokvqa.ts';
import type { BadCase, BadCases, EvaluatedQuestion } from './records.ts';

const letters = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];

/**
 * A bad case as the teacher sees it among the in-context examples. The wording is the reference system's file
 * format (`bad_case_aokvqa_classified.json`), spaces included.
 */
export function badCasePrompt(
  question: Pick<BadCase, 'question' | 'choices' | 'correct_choice_idx' | 'question_type'>,
): string {
  const choices = question.choices.map((choice, index) => `(${letters[index]}) ${choice}`).join(' ');
  const letter = letters[question.correct_choice_idx];
  const answer = question.choices[question.correct_choice_idx];
  return [
    `Question: ${question.question}`,
    `Choices: ${choices}`,
    `Answer: The answer is (${letter}): ${answer}.`,
    `Question type: ${question.question_type.replaceAll('_', ' ')}`,
  ].join('\n');
}

/**
 * Collects the questions that the model answered wrongly, by question type: the content of
 * `bad_case_aokvqa_classified.json`. Every type of the records is a key, with an empty list where all answers are
 * correct; types are in alphabetical order, bad cases in the order of the records.
 *
 * @param options.imageFolder the folder of the questions' images; its last part starts each `image_path`
 */
export function collectBadCases(records: readonly EvaluatedQuestion[], options: { imageFolder: string }): BadCases {
  const folder = basename(options.imageFolder);
  const types = [...new Set(records.map((record) => record.question_type))].sort();
  const badCases: BadCases = Object.fromEntries(types.map((type) => [type, []]));
  for (const record of records) {
    if (record.model_choice_idx === record.correct_choice_idx) continue;
    badCases[record.question_type]?.push({
      idx: record.question_id,
      question: record.question,
      choices: record.choices,
      correct_choice_idx: record.correct_choice_idx,
      direct_answers: record.direct_answers,
      difficult_direct_answer: record.difficult_direct_answer,
      model_answer: record.model_answer,
      question_type: record.question_type,
      prompt: badCasePrompt(record),
      image_path: aokvqaImagePath(folder, record.image_id),
    });
  }
  return badCases;
}
