import type { Config } from '../config/schema.ts';
import { askInThisProcess } from './generation/in-this-process.ts';
import type { VerifyOutcome } from './outcomes.ts';
import type { StepContext } from './step-context.ts';
import { beginVerification } from './verification/begin.ts';
import { finishVerification } from './verification/finish.ts';
import { verificationWork } from './verification/work.ts';

export { verifiedFile } from './verification/finish.ts';

/** Whether the config asks for the step at all. */
export function verifies({ verify }: Config): boolean {
  return verify.blindAnswers + verify.languageOnlyAnswers > 0;
}

/**
 * Asks the teacher its own questions again, those that the free filters leave, in this process. The calls stay in
 * `round-<k>/verify_calls/` whatever happens to the step, and nothing is asked for twice.
 *
 * @throws InputError when the budget is used up and a top-up is to be waited for
 */
export async function verify(context: StepContext): Promise<VerifyOutcome> {
  const plan = await beginVerification(context);
  if (!plan.done) await askInThisProcess(context, await verificationWork(context), plan);
  return finishVerification(context);
}
