import { join } from 'node:path';
import { runStepOnce } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { collectBadCases } from '../../evaluation/bad-cases.ts';
import { readEvaluatedQuestions, readWeights } from '../../evaluation/records.ts';
import { errorWeights } from '../../evaluation/weights.ts';
import { finishedStep } from '../finished-step.ts';
import { outcomeOf } from '../outcome-of.ts';
import type { ClassifyOutcome } from '../outcomes.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';

export const badCasesFile = 'bad_case_aokvqa_classified.json';
export const weightsFile = 'weight.json';

/** Sorts the round's wrong answers on the validation questions by question type; their shares are the weights. */
export async function classify(context: StepContext): Promise<ClassifyOutcome> {
  const { config, run, round } = context;
  const evaluated = await finishedStep(run, round, 'evaluate');
  const directory = stepDirectory(run, round, 'classify');
  const done = await runStepOnce({
    directory,
    step: 'classify',
    inputs: { evaluated: evaluated.manifest.outputs['aokvqa_eval.json'] },
    work: async () => {
      const records = await readEvaluatedQuestions(join(evaluated.directory, 'aokvqa_eval.json'));
      const badCases = collectBadCases(records, { imageFolder: config.data.images.validation });
      await writeJson(join(directory, badCasesFile), badCases);
      await writeJson(join(directory, weightsFile), errorWeights(records));
      return { outputs: [badCasesFile, weightsFile], metrics: { badCases: Object.values(badCases).flat().length } };
    },
  });
  return {
    ...outcomeOf(done),
    badCases: done.manifest.metrics.badCases ?? 0,
    errorByType: await readWeights(join(directory, weightsFile)),
  };
}
