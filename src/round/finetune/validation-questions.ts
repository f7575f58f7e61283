import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { benchmarkOf } from '../../evaluation/benchmarks/index.ts';
import type { ValidationQuestion } from '../../trainer/job-files.ts';
import { askQuestions, extractedImagesFolder, readEvaluationSet, requireEvaluationSet } from '../evaluation-sets.ts';
import type { StepContext } from '../step-context.ts';

/** Where a finetune has the questions that choose the state to keep. */
export const validationQuestionsFile = (finetuneDirectory: string) =>
  join(finetuneDirectory, 'validation-questions.jsonl');

/**
 * The validation questions as they are ranked, each with the direct-answer score of each of its choices; of questions of your
 * own, 1 for the right one. Questions without choices, or that do not count for direct answers, are left out.
 *
 * @throws InputError when none is left
 */
export async function validationQuestions({
  config,
  run,
}: Pick<StepContext, 'config' | 'run'>): Promise<ValidationQuestion[]> {
  const set = { ...requireEvaluationSet(config, run, 'validation'), answerMode: 'ranked' as const };
  const questions = await readEvaluationSet(set, extractedImagesFolder(run));
  const benchmark = benchmarkOf(set.benchmark);
  const measure = set.questions === undefined ? 'directAnswer' : 'multipleChoice';
  const scored = askQuestions(set, questions).flatMap((asked, index): ValidationQuestion[] => {
    const question = questions[index] as (typeof questions)[number];
    const scores = asked.answers.flatMap((_, choice) => {
      const [scored] = benchmark.score([{ question, choice, losses: [] }])[measure] ?? [];
      return scored === undefined ? [] : [scored.score];
    });
    return scores.length === 0 ? [] : [{ ...asked, scores }];
  });
  if (scored.length > 0) return scored;
  if (set.questions !== undefined) {
    throw new InputError({
      file: set.file,
      field: 'choices',
      problem: 'no question has choices, and finetune.keep: best-validation ranks them',
      remedy: 'Set finetune.keep: last',
    });
  }
  throw new InputError({
    file: set.file,
    field: 'direct_answers',
    problem: 'no question has direct answers that count, but finetune.keep is best-validation',
    remedy: 'Name a file with direct answers as data.validation.file, or set finetune.keep: last',
  });
}
