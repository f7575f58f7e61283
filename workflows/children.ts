/** Children of a workflow that may have been reset. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  type ChildWorkflowHandle,
  type ChildWorkflowOptions,
  getExternalWorkflowHandle,
  sleep,
  startChild,
} from '@temporalio/workflow';

const longestPauseSeconds = 60;

/**
 * Starts a child. A reset to a time before it was started leaves the first one running: that one is canceled, and its end
 * awaited, since it holds the child's id, a GPU and the folders of its steps.
 */
export async function startOnlyChild<Input, Result>(
  workflow: (input: Input) => Promise<Result>,
  options: Omit<ChildWorkflowOptions, 'typeInfo'> & { workflowId: string; args: [Input] },
): Promise<ChildWorkflowHandle<(input: Input) => Promise<Result>>> {
  for (let seconds = 1; ; seconds = Math.min(longestPauseSeconds, seconds * 2)) {
    try {
      return await startChild(workflow, options);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      // It may have ended in the meantime.
      await getExternalWorkflowHandle(options.workflowId)
        .cancel()
        .catch(() => undefined);
      await sleep(seconds * 1000, { summary: `Until ${options.workflowId} has ended` });
    }
  }
}
