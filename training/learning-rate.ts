export interface LearningRateSchedule {
  initial: number;
  peak: number;
  final: number;
  warmupSteps: number;
}

/**
 * Linear warm-up from `initial` to `peak`, then half a cosine down to `final` at the last step, as the
 * reference system's `linear_warmup_cosine_lr`.
 *
 * @param step from 0
 */
export function learningRateAt(step: number, steps: number, schedule: LearningRateSchedule): number {
  const { initial, peak, final, warmupSteps } = schedule;
  if (step < warmupSteps) return initial + ((peak - initial) * step) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, steps - 1 - warmupSteps);
  return final + (peak - final) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
