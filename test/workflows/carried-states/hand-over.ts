/** The workflows, and one more: an execution before, of any version, that hands its state over. */
import { makeContinueAsNewFunc } from '@temporalio/workflow';

export * from '../../../workflows/index.ts';

/** Continues as new as a workflow of another type, with the input as it is. */
export async function handOver(workflowType: string, input: unknown): Promise<never> {
  return makeContinueAsNewFunc<(input: unknown) => Promise<never>>({ workflowType })(input);
}
