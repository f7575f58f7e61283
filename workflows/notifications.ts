/**
 * Notifies people of what happened, through the webhook of the config.
 */
import { isCancellation } from '@temporalio/workflow';
import { notificationActivities } from './activity-options.ts';
import { describeProblem, roundNumber, type WaitingReview } from './details.ts';
import type { RoundSummary, RunPlan } from './inputs.ts';
import type { WaitingStep } from './messages.ts';

type Kind = NonNullable<RunPlan['notifyOn']>[number];

/** A run does not fail because a notification could not be sent. */
export async function notify(plan: RunPlan, kind: Kind, round: number, text: string): Promise<void> {
  if (!plan.notifyOn?.includes(kind)) return;
  try {
    await notificationActivities(plan.queues.cpu, `Notify of: ${kind}`).notify({
      runDirectory: plan.directory,
      round,
      text: `Run ${plan.run}: ${text}`,
    });
  } catch {
    // Nor where the run is canceled: what comes next says so.
  }
}

/** Notifications that are sent while the run goes on: a slow receiver holds nothing up. */
export class Notifications {
  private readonly underWay = new Set<Promise<void>>();

  send(plan: RunPlan, kind: Kind, round: number, text: string): void {
    const sent = notify(plan, kind, round, text).finally(() => this.underWay.delete(sent));
    this.underWay.add(sent);
  }

  /** A workflow that ends takes what is under way with it. */
  async untilSent(): Promise<void> {
    await Promise.all(this.underWay);
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

/** @param problem of the step, which was skipped */
export function skippedNotification(round: number, problem: string): string {
  return `round ${round}: ${problem}`;
}

export function waitingNotification({ round, step, problem }: WaitingStep): string {
  const where = round === undefined ? '' : ` of round ${round}`;
  return `the step ${step}${where} failed and waits for retry-step, skip-step or give-up: ${problem}`;
}

/** @param round under way */
export function failureNotification(round: number, error: unknown): string {
  // Of a run that is canceled as a whole nobody is notified.
  return `has failed: ${isCancellation(error) ? `round ${round} was canceled` : describeProblem(error)}`;
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
