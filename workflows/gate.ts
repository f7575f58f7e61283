/**
 * The end of a round: its model is compared with the last good one, and the tests, a policy or a person decide whether it
 * is built upon. Nothing runs on a GPU while the round waits for a person.
 */
import { allHandlersFinished, condition, workflowInfo } from '@temporalio/workflow';
import { type OutcomeOf, steps } from '../src/round/steps.ts';
import { cpuActivities, stepActivity } from './activity-options.ts';
import { describeWaiting } from './details.ts';
import { approvalNotification, notify } from './notifications.ts';
import type { RoundState } from './round-state.ts';

const defaultApproval = { timeoutHours: 72, defaultDecision: 'gate' } as const;

/** Compares and decides. Under the policy `approve` it waits for a person, but no longer than the config says. */
export async function passGate(round: RoundState): Promise<OutcomeOf<'gate'>> {
  const { plan, reference } = round;
  const { workflowId } = workflowInfo();
  const cpu = (summary: string) => cpuActivities(plan.queues.cpu, summary, steps.gate.minutes);

  const compared = await stepActivity(plan, 'compare')(reference);
  if (!compared.asksPerson) return cpu('Decide whether the round is built upon').gate(reference);

  round.awaitPerson('decision', describeWaiting(workflowId, compared, round.outcomes));
  const approval = approvalNotification(workflowId, { round: reference.round, ...compared });
  void notify(plan, 'approval', reference.round, approval);
  const { timeoutHours, defaultDecision } = plan.approval ?? defaultApproval;
  const decision = await round.untilDecided(timeoutHours);
  await condition(allHandlersFinished);
  return cpu('Record the decision about the round').gate({
    ...reference,
    given: decision === undefined ? { decision: defaultDecision, by: 'default' } : { ...decision, by: 'person' },
  });
}
