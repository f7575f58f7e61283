/**
 * Compares a round's merged model with the last good round's, on the validation questions alone: the test questions
 * decide nothing.
 */
import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeJson } from '../../core/write-file.ts';
import { findForgotten, forgettingSchema, sumForgotten } from '../../evaluation/forgetting.ts';
import { readEvaluatedQuestions } from '../../evaluation/records.ts';
import { compareRounds, roundComparisonSchema, whyWorse } from '../../evaluation/round-comparison.ts';
import { finishedStep } from '../finished-step.ts';
import { lineageBefore } from '../gate/lineage.ts';
import { outcomeOf } from '../outcome-of.ts';
import type { CompareOutcome } from '../outcomes.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { writeApprovalPage } from './approval-page.ts';

export const comparisonFile = 'comparison.json';
export const forgottenFile = 'forgotten.json';
export const approvalPage = 'samples.html';

const resultsFile = 'aokvqa_eval.json';
const longestReason = 200;

/**
 * Writes `comparison.json` (paired tests, overall and by question type), `forgotten.json` (what the best earlier rounds
 * got right and this one doesn't) and, where a person decides, `samples.html`. Round 0 is compared with nothing.
 */
export async function compareRound(context: StepContext): Promise<CompareOutcome> {
  const { config, run, round } = context;
  const lineage = await lineageBefore(context, round);
  const builtOn = lineage.at(-1);
  const evaluated = await finishedStep(run, round, 'evaluate');
  const earlier: ({ number: number } & Awaited<ReturnType<typeof finishedStep>>)[] = [];
  for (const number of lineage) earlier.push({ number, ...(await finishedStep(run, number, 'evaluate')) });
  const asksPerson = config.gate.policy === 'approve' && builtOn !== undefined;
  const directory = stepDirectory(run, round, 'compare');
  const { level, tolerance, typeTolerance, typeTolerances } = config.gate;
  const done = await runStepOnce({
    directory,
    step: 'compare',
    inputs: {
      now: evaluated.manifest.outputs[resultsFile],
      earlier: earlier.map(({ manifest }) => manifest.outputs[resultsFile]),
      settings: { level, tolerance, typeTolerance, typeTolerances },
      asksPerson,
    },
    work: async () => {
      const now = await readEvaluatedQuestions(join(evaluated.directory, resultsFile));
      requireKnownTypes(context, new Set(now.map(({ question_type }) => question_type)));
      const answers = new Map(
        await Promise.all(
          earlier.map(
            async (one) => [one.number, await readEvaluatedQuestions(join(one.directory, resultsFile))] as const,
          ),
        ),
      );
      const before = builtOn === undefined ? [] : (answers.get(builtOn) ?? []);
      const outputs = [comparisonFile, forgottenFile];
      await writeJson(join(directory, comparisonFile), compareRounds(before, now, config.gate));
      await writeJson(join(directory, forgottenFile), findForgotten(answers, now));
      if (asksPerson) {
        await writeApprovalPage(context, { file: join(directory, approvalPage), builtOn, before, now });
        outputs.push(approvalPage);
      }
      return { outputs, metrics: {} };
    },
  });
  const comparison = await readJson(join(directory, comparisonFile), roundComparisonSchema);
  const { right, lost } = sumForgotten(await readJson(join(directory, forgottenFile), forgettingSchema));
  const reasons = whyWorse(comparison);
  const { questions, rightBefore, rightNow, pValue } = comparison.overall;
  return {
    ...outcomeOf(done),
    builtOn,
    asksPerson,
    worse: reasons.length > 0,
    reason: shorten(reasons.join('; ')),
    change: questions === 0 ? 0 : (100 * (rightNow - rightBefore)) / questions,
    pValue,
    remembered: right,
    forgotten: lost,
    samplesPage: asksPerson ? await shownPage(run, join(directory, approvalPage)) : undefined,
  };
}

/** Where a person finds a page. */
async function shownPage({ stored }: RunDirectory, file: string): Promise<string> {
  return stored === undefined ? file : stored.publish(file);
}

/** Reasons travel through Temporal; `comparison.json` has all. */
function shorten(text: string): string {
  return text.length > longestReason ? `${text.slice(0, longestReason)} …` : text;
}

function requireKnownTypes({ config, run }: StepContext, types: ReadonlySet<string>): void {
  const unknown = Object.keys(config.gate.typeTolerances).find((type) => !types.has(type));
  if (unknown === undefined) return;
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: `gate.typeTolerances.${unknown}`,
    problem: 'no validation question is of this type',
    remedy: `Name one of ${[...types].sort().join(', ')}`,
  });
}
