/**
 * Compares a round's merged model with the last good round's, on the validation questions only: nothing is decided by
 * the test questions.
 */
import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce } from '../../core/manifest.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeJson } from '../../core/write-file.ts';
import { scoringVersion } from '../../evaluation/bad-cases.ts';
import { describeComparison } from '../../evaluation/describe-change.ts';
import { readScores, scoresFile } from '../../evaluation/evaluation-files.ts';
import { findForgotten, sumForgotten } from '../../evaluation/forgetting.ts';
import { compareRounds, isWorse } from '../../evaluation/round-comparison.ts';
import { answersFile, readAnswers } from '../evaluate/results.ts';
import { finishedStep } from '../finished-step.ts';
import { lineageBefore } from '../gate/lineage.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { writeApprovalPage } from './approval-page.ts';
import {
  approvalPage,
  type CompareOutcome,
  comparisonFile,
  forgottenFile,
  readComparison,
  readForgotten,
} from './results.ts';

const maximumReasonLength = 200;

/**
 * Writes `comparison.json` (paired tests, overall and by question type), `forgotten.json` (what the best earlier rounds
 * got right and this one doesn't) and, where a person decides, `samples.html`. Round 0 is compared with nothing.
 */
export async function compare(context: StepContext): Promise<CompareOutcome> {
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
      scoring: scoringVersion,
      now: evaluated.manifest.outputs[answersFile],
      earlier: earlier.map(({ manifest }) => manifest.outputs[answersFile]),
      settings: { level, tolerance, typeTolerance, typeTolerances },
      asksPerson,
    },
    work: async () => {
      const now = await readAnswers(evaluated.directory);
      requireKnownTypes(context, new Set(now.map(({ question_type }) => question_type)));
      const answers = new Map(
        await Promise.all(earlier.map(async (one) => [one.number, await readAnswers(one.directory)] as const)),
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
  const comparison = await readComparison(directory);
  const { right, lost } = sumForgotten(await readForgotten(directory));
  const before = earlier.at(-1);
  const otherwise = before === undefined ? '' : await scoredOtherwise(before, evaluated);
  const { questions, rightBefore, rightNow, pValue } = comparison.overall;
  return {
    ...outcomeOf(done),
    builtOn,
    asksPerson,
    worse: isWorse(comparison),
    reason: shorten(before === undefined ? '' : otherwise + describeComparison(comparison, level)),
    change: questions === 0 ? 0 : (100 * (rightNow - rightBefore)) / questions,
    pValue,
    remembered: right,
    forgotten: lost,
    samplesPage: asksPerson ? await shownPage(run, join(directory, approvalPage)) : undefined,
  };
}

type Evaluated = Awaited<ReturnType<typeof finishedStep>>;

/** What to say first where the answers of two rounds were not scored by the same program; else nothing. */
async function scoredOtherwise(before: Evaluated, now: Evaluated): Promise<string> {
  const [was, is] = [await scorerOf(before), await scorerOf(now)];
  return was === is ? '' : `scored by ${is}, before by ${was}: `;
}

async function scorerOf({ directory, manifest }: Evaluated): Promise<string> {
  const scores = manifest.outputs[scoresFile] === undefined ? undefined : await readScores(directory);
  return scores?.imported === undefined ? 'this program' : `${scores.imported.program} (${scores.imported.measure})`;
}

/** Where a person can open the page. */
async function shownPage({ stored }: RunDirectory, file: string): Promise<string> {
  return stored === undefined ? file : stored.publish(file);
}

/** Reasons become payloads of Temporal, which stay small; `comparison.json` has all of them. */
function shorten(text: string): string {
  return text.length > maximumReasonLength ? `${text.slice(0, maximumReasonLength)} …` : text;
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
