import type { Manifest } from '../store/manifest.ts';
import type { StepOutcome } from './step-context.ts';

/** The part of a step's outcome that its manifest tells. */
export function outcomeOf({ manifest, skipped }: { manifest: Manifest; skipped: boolean }): StepOutcome {
  return { seconds: (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000, reused: skipped };
}
