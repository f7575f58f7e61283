/**
 * The discovery of question types in a round: the teacher proposes them, a person may have to approve them, then the questions
 * are sorted.
 */
import { workflowInfo } from '@temporalio/workflow';
import type { OutcomeOf } from '../src/round/steps.ts';
import { stepActivity } from './activity-options.ts';
import { describeWaitingTypes } from './details.ts';
import { notify, typesNotification } from './notifications.ts';
import type { RoundState } from './round-state.ts';

const defaultTimeoutHours = 72;

export async function discoverTypes(state: RoundState): Promise<OutcomeOf<'discover'>> {
  const { plan, reference } = state;
  const discover = stepActivity(plan, 'discover');
  const found = await discover(reference);
  if (!found.waits) return found;

  const { workflowId } = workflowInfo();
  state.awaitPerson('types', describeWaitingTypes(workflowId, found));
  void notify(plan, 'approval', reference.round, typesNotification(workflowId, { ...reference, ...found }));
  await state.types.untilApproved(plan.discovery?.timeoutHours ?? defaultTimeoutHours);
  state.resumeStep();
  return discover(reference);
}
