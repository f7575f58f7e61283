/** The end of a workflow, whichever it is. */
import { allHandlersFinished, CancellationScope, ContinueAsNew, condition, isCancellation } from '@temporalio/workflow';

export type End = 'completed' | 'failed' | 'canceled';

/**
 * Whether an error ends this workflow because it was canceled itself. A child or an activity that somebody else canceled is a
 * failure.
 */
export function isOwnCancellation(error: unknown): boolean {
  return isCancellation(error) && CancellationScope.current().consideredCancelled;
}

/** Updates under way are answered before a workflow ends, on failure too. */
export function untilHandlersFinish(): Promise<void> {
  return CancellationScope.nonCancellable(() => condition(allHandlersFinished));
}

/**
 * Does the work of a workflow, and shows how it ended.
 *
 * @param onEnd not called where the workflow continues as new
 * @throws the work's error
 */
export async function untilEnd<R>(
  work: () => Promise<R>,
  onEnd: (end: End, error?: unknown) => void | Promise<void>,
): Promise<R> {
  try {
    const result = await work();
    await untilHandlersFinish();
    await onEnd('completed');
    return result;
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    await onEnd(isOwnCancellation(error) ? 'canceled' : 'failed', error);
    await untilHandlersFinish();
    throw error;
  }
}
