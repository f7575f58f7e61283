import type { Config } from '../config/schema.ts';
import type { Access } from '../core/access.ts';
import type { Manifest } from '../core/manifest.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import type { OnRetry } from '../teacher/ask-with-retries.ts';
import type { Progress } from '../trainer/protocol.ts';
import type { TrainerCommand } from '../trainer/supervisor/trainer-command.ts';
import type { Extensions } from './extensions.ts';

/** What every step is given. It knows no Temporal: the activities and the command line both make one. */
export interface StepContext {
  config: Config;
  run: RunDirectory;
  round: number;
  onProgress(progress: Progress): void;
  /** Called when a request failed that this process itself makes again, without Temporal. */
  onRetry?: OnRetry | undefined;
  /** Aborted when the step should stop; the step then throws the signal's reason. */
  signal: AbortSignal;
  /** What the program adds to the library. */
  extensions: Extensions;
  /** What the work may touch. Absent for work that a person typed: it trusts the config. */
  access?: Access;
  /** Whether the work has a GPU to itself, on which it may start the teacher's server. */
  holdsGpu?: boolean;
  /** The program that runs GPU jobs. Default: our own trainer. */
  trainer?: TrainerCommand;
}

/** What every step returns. Small numbers and references only: it travels through Temporal. */
export interface StepOutcome {
  /** Working time, as the manifest has it: of the attempt that finished, even when it is reused. */
  seconds: number;
  /** True when the step had been done before with the same inputs. */
  reused: boolean;
}

/** The part of a step's outcome that its manifest has. */
export function outcomeOf({ manifest, skipped }: { manifest: Manifest; skipped: boolean }): StepOutcome {
  const milliseconds = Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt);
  // The clock may have been set back in between.
  return { seconds: Math.max(0, milliseconds) / 1000, reused: skipped };
}
