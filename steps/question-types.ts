import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AokvqaQuestion } from '../datasets/aokvqa.ts';
import { knownQuestionTypes } from '../evaluation/question-type-of.ts';
import { classifyQuestions } from '../generation/classify-questions.ts';
import { readQuestionTypes } from '../generation/question-types.ts';
import type { StepContext } from './step-context.ts';
import { withTeacher } from './teacher.ts';

const promptFile = fileURLToPath(new URL('../configs/prompts/classify-v1.md', import.meta.url));

/**
 * The type of each question: its own, or else as the teacher sorts it, kept in `<run>/question_types.json` so that
 * all rounds count by the same types.
 */
export async function questionTypesOf(
  context: StepContext,
  questions: readonly AokvqaQuestion[],
): Promise<Map<string, string>> {
  const { config, run, signal } = context;
  const { types, missing } = knownQuestionTypes(questions);
  if (missing.length === 0) return types;
  const classified = await withTeacher(context, async (ask) =>
    classifyQuestions({
      questions: missing,
      types: await readQuestionTypes(config.data.questionTypes),
      ask,
      cacheFile: join(run.root, 'question_types.json'),
      promptFile,
      signal,
    }),
  );
  return new Map([...types, ...classified]);
}
