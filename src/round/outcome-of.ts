import type { Manifest } from '../core/manifest.ts';
import type { StepOutcome } from './step-context.ts';

/** The part of a step's outcome that its manifest tells. */
export function outcomeOf({ manifest, skipped }: { manifest: Manifest; skipped: boolean }): StepOutcome {
  const milliseconds = Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt);
  // The clock may have been set back meanwhile.
  return { seconds: Math.max(0, milliseconds) / 1000, reused: skipped };
}
