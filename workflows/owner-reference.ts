/** Whose work an activity does. The activities parse it too, outside of the sandbox. */
import { z } from 'zod';

const text = z.string().min(1).max(1000);

/** An execution of a workflow. A reset, or a continue-as-new, gives another one. */
export const executionSchema = z.strictObject({ workflowId: text, runId: text });

/** The executions that work on a run. */
export type OwnerReference = z.output<typeof ownerReferenceSchema>;
export const ownerReferenceSchema = executionSchema.extend({
  /** Absent for what the run does itself. */
  round: executionSchema.optional(),
});
