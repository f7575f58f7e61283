import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { collectBadCases, type EvaluatedQuestion, errorWeights, scoringVersion } from '../../evaluation/bad-cases.ts';
import { answersFile, readAnswers } from '../evaluate/results.ts';
import { finishedStep } from '../finished-step.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { badCasesFile, type ClassifyOutcome, readErrorWeights, weightsFile } from './results.ts';

/** Groups the round's wrong answers to the validation questions by question type; the error rates are the weights. */
export async function classify(context: StepContext): Promise<ClassifyOutcome> {
  const { run, round } = context;
  const evaluated = await finishedStep(run, round, 'evaluate');
  const directory = stepDirectory(run, round, 'classify');
  const done = await runStepOnce({
    directory,
    step: 'classify',
    inputs: { scoring: scoringVersion, evaluated: evaluated.manifest.outputs[answersFile] },
    work: async () => {
      const records = await readAnswers(evaluated.directory);
      requireTypes(context, records);
      const badCases = collectBadCases(records);
      await writeJson(join(directory, badCasesFile), badCases);
      await writeJson(join(directory, weightsFile), errorWeights(records));
      return { outputs: [badCasesFile, weightsFile], metrics: { badCases: Object.values(badCases).flat().length } };
    },
  });
  return {
    ...outcomeOf(done),
    badCases: done.manifest.metrics.badCases ?? 0,
    errorByType: await readErrorWeights(directory),
  };
}

function requireTypes({ config, run, round }: StepContext, records: readonly EvaluatedQuestion[]): void {
  if (config.questionTypes.source !== 'discover') return;
  if (records.every(({ question_type }) => question_type !== 'unclassified')) return;
  throw new InputError({
    file: join(stepDirectory(run, round, 'evaluate'), answersFile),
    field: 'question_type',
    problem: 'the question types are not discovered yet, or wait for approval',
    remedy: `Run \`dataengine discover --round ${round}\` with the same config first`,
  });
}
