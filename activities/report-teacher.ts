/** Has the workflow that asks the teacher know that an activity of it gets no answers, or gets some again. */
import { Context } from '@temporalio/activity';
import { reportTeacherSignal } from '../workflows/steering-messages.ts';

/** The server may be away too: the activity ends all the same. */
const mostMilliseconds = 10_000;

/** @param problem undefined: there are answers again. @throws the server's error */
export async function reportTeacher(chunk: number, problem: string | undefined): Promise<void> {
  const { client, info } = Context.current();
  const { workflowId, runId } = info.workflowExecution ?? {};
  if (workflowId === undefined) return;
  const handle = client.workflow.getHandle(workflowId, runId);
  await client.withDeadline(Date.now() + mostMilliseconds, () =>
    handle.signal(reportTeacherSignal, { chunk, problem }),
  );
}
