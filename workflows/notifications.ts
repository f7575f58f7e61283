/**
 * Notifies people of what happened, through the webhook of the config.
 */
import { isCancellation } from '@temporalio/workflow';
import { cpuActivities } from './activity-options.ts';
import { describeProblem, roundNumber, type WaitingReview } from './details.ts';
import type { RoundSummary, RunPlan } from './inputs.ts';
import type { WaitingStep } from './messages.ts';

type Kind = NonNullable<RunPlan['notifyOn']>[number];

/** A run does not fail because a notification could not be sent. */
export async function notify(plan: RunPlan, kind: Kind, round: number, text: string): Promise<void> {
  if (!plan.notifyOn?.includes(kind)) return;
  try {
    await cpuActivities(plan.queues.cpu, `Notify of: ${kind}`, 10).notify({
      runDirectory: plan.directory,
      round,
      text: `Run ${plan.run}: ${text}`,
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}

export function roundNotification({
  round,
  measure = 'MC',
  multipleChoice,
  testMultipleChoice,
  samplesAdded,
}: RoundSummary): string {
  const test = testMultipleChoice === undefined ? '' : `, test ${roundNumber(testMultipleChoice, 1)} %`;
  return `round ${round} is done, ${measure} ${roundNumber(multipleChoice, 1)} %${test}, ${samplesAdded} samples added`;
}

export function waitingNotification({ round, step, problem }: WaitingStep): string {
  const where = round === undefined ? '' : ` of round ${round}`;
  return `the step ${step}${where} failed and waits for retry-step, skip-step or give-up: ${problem}`;
}

export function failureNotification(error: unknown): string {
  return `has failed: ${describeProblem(error)}`;
}

/** @param workflowId of the round */
export function typesNotification(workflowId: string, { round, types }: { round: number; types: number }): string {
  return `round ${round} has found ${types} question types, which wait for approval: dataengine approve-types ${workflowId}`;
}

/** @param workflowId of the round */
export function approvalNotification(workflowId: string, { round, change }: { round: number; change: number }): string {
  const points = `${change >= 0 ? '+' : ''}${roundNumber(change, 1)} points`;
  return `round ${round} waits for a decision (${points}): dataengine approve ${workflowId} [--reject]`;
}

export function reviewNotification({ workflowId, run, round, undecided }: WaitingReview): string {
  return `round ${round} waits for the review of ${undecided} samples: dataengine data review CONFIG --run ${run} --round ${round} --continue ${workflowId}`;
}
