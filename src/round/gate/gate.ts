/**
 * Decides whether later rounds build upon a round, and whether the run continues.
 */
import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { markVersion } from '../../datasets/versions.ts';
import { isRight } from '../../evaluation/bad-cases.ts';
import { findStop, type Stop, type StopInput } from '../../evaluation/stop-rules.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { readPrice } from '../../teacher/prices.ts';
import { compare } from '../compare/compare.ts';
import type { CompareOutcome } from '../compare/results.ts';
import { comparisonFile } from '../compare/results.ts';
import { readAnswers } from '../evaluate/results.ts';
import { finishedStep } from '../finished-step.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { lineageBefore, readDecision, writeLineage } from './lineage.ts';
import { type Decision, decisionFile, type GateOutcome } from './results.ts';

/** A person's decision about a round, or the default when nobody decided in time. */
export interface Verdict {
  decision: 'accept' | 'reject' | 'gate';
  by: 'person' | 'default';
  comment?: string;
}

/**
 * Writes `round-<k>/gate/decision.json` and `lineage.json`, and marks the round's dataset version when it is set aside.
 * The same comparison and the same verdict give the same decision. Under the policy `approve` a verdict holds until another
 * is given.
 *
 * @throws InputError when the policy requires a person's decision and there is none
 */
export async function gate(context: StepContext, verdict?: Verdict): Promise<GateOutcome> {
  const { config, run, round } = context;
  const compared = await compare(context);
  const lineage = await lineageBefore(context, round);
  const comparison = await finishedStep(run, round, 'compare');
  const comparisonHash = comparison.manifest.outputs[comparisonFile] ?? '';
  const given = compared.asksPerson ? (verdict ?? (await earlierVerdict(context, comparisonHash))) : undefined;
  const judged = judge(context, compared, given);
  const builtUpon = judged.accepted ? [...lineage, round] : lineage;
  const spent = await spentUntil(context);
  const directory = stepDirectory(run, round, 'gate');
  const done = await runStepOnce({
    directory,
    step: 'gate',
    inputs: {
      comparison: comparisonHash,
      policy: config.gate.policy,
      level: config.gate.level,
      verdict: given,
      stop: config.stop,
      spent: spent?.spent,
      lineage,
      round,
    },
    work: async () => {
      const decision: Decision = {
        schemaVersion: 1,
        round,
        builtOn: compared.builtOn,
        ...judged,
        comparison: comparisonHash,
        stop: await stopAfter(context, builtUpon, spent),
      };
      await markVersion(run.root, { round, setAside: !decision.accepted });
      await writeJson(join(directory, decisionFile), decision);
      return { outputs: [decisionFile], metrics: { accepted: decision.accepted ? 1 : 0 } };
    },
  });
  const decisions: Decision[] = [];
  for (let number = 0; number <= round; number += 1) {
    const decision = await readDecision(run, number);
    if (decision !== undefined) decisions.push(decision);
  }
  await writeLineage(run, decisions);
  const { accepted, by, reason, stop } = decisions.at(-1) as Decision;
  const { builtOn, change, pValue, remembered, forgotten } = compared;
  return {
    ...outcomeOf(done),
    accepted,
    by,
    reason,
    stop,
    builtOn,
    lastGood: builtUpon.at(-1) ?? 0,
    change,
    pValue,
    remembered,
    forgotten,
  };
}

type Judged = Pick<Decision, 'accepted' | 'by' | 'reason' | 'verdict' | 'comment'>;

function judge({ config, round }: StepContext, compared: CompareOutcome, verdict: Verdict | undefined): Judged {
  const { builtOn, worse, reason } = compared;
  if (builtOn === undefined) return { accepted: true, by: 'first', reason: 'nothing to compare it with' };
  const tests: Judged = { accepted: !worse, by: 'test', reason: `against round ${builtOn}: ${reason}` };
  if (config.gate.policy === 'gate') return tests;
  if (config.gate.policy === 'always') return { ...tests, accepted: true, by: 'policy' };
  if (verdict === undefined) {
    throw new InputError({
      file: 'command line',
      field: '--accept',
      problem: `round ${round} waits for a person: ${tests.reason}${compared.samplesPage ? `; see ${compared.samplesPage}` : ''}`,
      remedy: 'Give --accept or --reject',
    });
  }
  const accepted = verdict.decision === 'gate' ? tests.accepted : verdict.decision === 'accept';
  return { accepted, by: verdict.by, reason: tests.reason, verdict: verdict.decision, comment: verdict.comment };
}

/** The verdict of an earlier attempt on the same comparison. */
async function earlierVerdict({ run, round }: StepContext, comparisonHash: string): Promise<Verdict | undefined> {
  const earlier = await readDecision(run, round);
  if (earlier?.verdict === undefined || earlier.comparison !== comparisonHash) return undefined;
  return { decision: earlier.verdict, by: earlier.by === 'person' ? 'person' : 'default', comment: earlier.comment };
}

type Spent = NonNullable<StopInput['budget']>;

/** The cost of the run up to this round. Later rounds don't count, so that running the step again changes nothing. */
async function spentUntil({ config, run, round }: StepContext): Promise<Spent | undefined> {
  const { budget: limit } = config.stop;
  if (limit === undefined) return undefined;
  const { prices, model, mode } = config.teacher;
  const price = await readPrice(prices, model, mode);
  if (price === undefined) {
    throw new InputError({
      file: prices,
      field: `models.${model}`,
      problem: 'is missing, and stop.budget needs the price of the model',
      remedy: 'Add what the model costs per million tokens, or leave stop.budget out',
    });
  }
  const roundOf = (source: string) => Number(/^round-(\d+)\//.exec(source)?.[1] ?? 0);
  const entries = [...(await readLedger(run.root)).bySource].filter(([source]) => roundOf(source) <= round);
  return { limit, spent: entries.reduce((sum, [, { cost }]) => sum + cost, 0), currency: price.currency };
}

async function stopAfter(
  context: StepContext,
  builtUpon: readonly number[],
  budget?: Spent,
): Promise<Stop | undefined> {
  const { config, round } = context;
  const { targetScore, plateauRounds } = config.stop;
  const now = await answersOf(context, builtUpon.at(-1) ?? 0);
  const beforeRound =
    plateauRounds === undefined ? undefined : builtUpon.findLast((one) => one <= round - plateauRounds);
  return findStop({
    targetScore,
    score: (100 * now.answers.filter(isRight).length) / Math.max(1, now.answers.length),
    plateau:
      plateauRounds === undefined || beforeRound === undefined
        ? undefined
        : { rounds: plateauRounds, level: config.gate.level, before: await answersOf(context, beforeRound), now },
    budget,
  });
}

async function answersOf({ run }: StepContext, round: number) {
  const { directory } = await finishedStep(run, round, 'evaluate');
  return { round, answers: await readAnswers(directory) };
}
