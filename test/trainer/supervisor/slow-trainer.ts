/** The real trainer on a slow machine: it waits where it looks after its signals, between steps and batches. */
const pauseMilliseconds = 60;

globalThis.setImmediate = ((callback: (...values: unknown[]) => void, ...values: unknown[]) =>
  setTimeout(callback, pauseMilliseconds, ...values)) as unknown as typeof setImmediate;

await import('../../../src/trainer/main.ts');
