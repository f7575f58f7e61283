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
  /** Whether other workers ask the teacher: this one may have neither its key nor a way to it. */
  asksNoTeacher?: boolean | undefined;
  /** Asks a person before a teacher is paid for the first time, where there is one to ask. @throws InputError when not */
  confirmCost?: ((expected: ExpectedCost) => Promise<void>) | undefined;
  /** The program that runs GPU jobs. Default: our own trainer. */
  trainer?: TrainerCommand;
}

/** What requests to a teacher that costs money will take. */
export interface ExpectedCost {
  requests: number;
  /** Absent where the price is not known. */
  cost?: { likely: number; most: number; currency: string } | undefined;
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
