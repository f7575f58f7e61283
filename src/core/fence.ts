/**
 * Who may write into a run: work that owns it, until another owner has taken over. What writes manifests, logs and the ledger
 * asks here first, however far from the start of the work it is.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface Fence {
  /**
   * @param options.often whether it is asked many times a second: a look of seconds ago is enough
   * @throws InputError, which no retry helps, once the run has another owner
   */
  require(options?: { often?: boolean }): Promise<void>;
  /** The file that is there from then on: for programs that have no other way to look. Absent for a run in a store. */
  file?: string | undefined;
}

const current = new AsyncLocalStorage<Fence>();

/** Does work that owns a run. Work without a fence is not looked at. */
export function withFence<R>(fence: Fence | undefined, work: () => Promise<R>): Promise<R> {
  return fence === undefined ? work() : current.run(fence, work);
}

/** Throws when the work that calls this, or what called it, does not own its run any more. Options: see `Fence`. */
export async function requireFence(options?: { often?: boolean }): Promise<void> {
  await current.getStore()?.require(options);
}

/** What a program that is started now has to look for before it writes. */
export function fenceFile(): string | undefined {
  return current.getStore()?.file;
}
