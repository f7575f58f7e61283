export interface LearningRateSchedule {
  initial: number;
  peak: number;
  final: number;
  warmupSteps: number;
}

/**
 * Linear warm-up from `initial` to `peak`, then a cosine from `peak` to `final`, as the reference system's
 * `linear_warmup_cosine_lr` (MiniGPT-4, `minigpt4/common/optims.py`): the cosine counts from the first step of the
 * run, so that it is a little past its top when the warm-up ends.
 *
 * @param step from 0
 */
export function learningRateAt(step: number, steps: number, schedule: LearningRateSchedule): number {
  const { initial, peak, final, warmupSteps } = schedule;
  if (step < warmupSteps) return initial + ((peak - initial) * step) / warmupSteps;
  return final + (peak - final) * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
}
