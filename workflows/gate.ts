/**
 * The end of a round: its model is compared with the last good one, and what becomes of it is decided, by the tests, by
 * policy or by a person. Nothing runs on a GPU while a person is waited for.
 */
import { ApplicationFailure, allHandlersFinished, condition, setHandler, workflowInfo } from '@temporalio/workflow';
import type { StepReference } from '../activities/references.ts';
import type { CompareOutcome, GateOutcome } from '../src/round/outcomes.ts';
import { cpuActivities } from './activity-options.ts';
import { decideRoundUpdate, type RoundVerdict, type RunPlan } from './messages.ts';
import { approvalNotice, tellPerson } from './notices.ts';

const maximumComment = 500;

/**
 * Takes the update `decideRound` from now on, and refuses it as long as nothing is asked.
 *
 * @returns what takes the round through the gate: it compares, waits for a person under the policy `approve`, but no
 *   longer than the config says, and has the decision recorded
 */
export function roundGate(
  plan: RunPlan,
  reference: StepReference,
): (onCompared: (compared: CompareOutcome) => void) => Promise<GateOutcome> {
  const cpu = (summary: string) => cpuActivities(summary, 60, plan.queues.cpu);
  let asking = false;
  let verdict: RoundVerdict | undefined;
  setHandler(
    decideRoundUpdate,
    (given) => {
      verdict = given;
      asking = false;
      return { round: reference.round, decision: given.decision };
    },
    { validator: (given) => checkVerdict(given, asking) },
  );
  return async (onCompared) => {
    const compared = await cpu('Compare the model with that of the last good round').compareRound(reference);
    asking = compared.asksPerson;
    onCompared(compared);
    if (!asking) return cpu('Decide whether the round is built upon').gate(reference);
    const { round } = reference;
    const told = tellPerson(plan, 'approval', round, approvalNotice(workflowInfo().workflowId, { round, ...compared }));
    const { timeoutHours, defaultDecision } = plan.approval ?? { timeoutHours: 72, defaultDecision: 'gate' as const };
    await condition(() => verdict !== undefined, timeoutHours * 3_600_000);
    asking = false;
    await told;
    await condition(allHandlersFinished);
    return cpu('Record the decision about the round').gate({
      ...reference,
      verdict: verdict === undefined ? { decision: defaultDecision, by: 'default' } : { ...verdict, by: 'person' },
    });
  };
}

/** Throws where the update is refused. */
function checkVerdict(given: RoundVerdict, asking: boolean): void {
  const refuse = (words: string) => {
    throw ApplicationFailure.nonRetryable(words);
  };
  if (!asking) refuse('Not now: the round does not wait for a decision');
  const { decision, comment } = given ?? {};
  if (decision !== 'accept' && decision !== 'reject') refuse('decision: accept or reject');
  if (comment !== undefined && (typeof comment !== 'string' || comment.length > maximumComment))
    refuse(`comment: a text of at most ${maximumComment} characters`);
}
