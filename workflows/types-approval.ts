/**
 * The approval of a round's discovered question types by a person. Nothing runs while the round waits.
 */
import { condition } from '@temporalio/workflow';
import type { StepReference } from '../activities/references.ts';
import { cpuActivities } from './activity-options.ts';
import { describeProblem } from './details.ts';
import type { RunPlan } from './inputs.ts';
import { refuse } from './message-handlers.ts';
import type { TypesApproval } from './messages.ts';

const minutes = 10;

export class TypesWait {
  private state: 'not awaited' | 'awaited' | 'approving' | 'approved' = 'not awaited';
  private readonly plan: RunPlan;
  private readonly reference: StepReference;

  constructor(plan: RunPlan, reference: StepReference) {
    this.plan = plan;
    this.reference = reference;
  }

  /** Throws where the update is refused. */
  check(): void {
    if (this.state !== 'awaited') refuse('Not now: the round does not wait for the approval of question types');
  }

  /** Records the approval. A list with a mistake in it is refused, and the round keeps waiting. */
  async approve(given: TypesApproval | undefined): Promise<{ round: number; types: number }> {
    this.state = 'approving';
    try {
      const { types } = await this.record({ ...given, by: 'person' });
      this.state = 'approved';
      return { round: this.reference.round, types };
    } catch (error) {
      this.state = 'awaited';
      refuse(describeProblem(error));
    }
  }

  /** Returns when the types are approved; after the time given they are used as they stand. */
  async untilApproved(timeoutHours: number): Promise<void> {
    this.state = 'awaited';
    const isAnswered = await condition(() => this.state === 'approved', timeoutHours * 3_600_000);
    if (isAnswered) return;
    await condition(() => this.state !== 'approving');
    if ((this.state as string) === 'approved') return;
    this.state = 'not awaited';
    await this.record({ by: 'default' });
  }

  private record(given: TypesApproval & { by: 'person' | 'default' }) {
    const { approveTypes } = cpuActivities(this.plan.queues.cpu, 'Record the approval of the question types', minutes);
    return approveTypes({ ...this.reference, given });
  }
}
