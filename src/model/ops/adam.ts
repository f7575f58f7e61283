/** AdamW (arXiv 1711.05101) as a traced program is given it, for TensorFlow's fused kernel. */
import type { Value } from './value.ts';

export interface AdamInputs {
  gradient: Value;
  /** All scalars, float32 `[]`. `epsilon` is the one inside TensorFlow's formula: see `adamScalars`. */
  learningRate: Value;
  beta1Power: Value;
  beta2Power: Value;
  epsilon: Value;
  /** `learningRate * weightDecay`, for the decoupled decay of AdamW. */
  decay: Value;
  betas: Pick<AdamSettings, 'beta1' | 'beta2'>;
}

/** AdamW's own numbers. */
export interface AdamSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
}

/** PyTorch's. */
export const standardAdam: AdamSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/**
 * The scalars of AdamW's step number `step` (from 1), so that TensorFlow's fused kernel, which puts epsilon
 * before the bias correction, computes PyTorch's update exactly.
 *
 * @returns float32 `[5]`: learning rate, beta1^step, beta2^step, epsilon, decay.
 */
export function adamScalars(
  step: number,
  learningRate: number,
  weightDecay: number,
  { beta1, beta2, epsilon } = standardAdam,
): Float32Array {
  const beta2Power = beta2 ** step;
  return Float32Array.of(
    learningRate,
    beta1 ** step,
    beta2Power,
    epsilon * Math.sqrt(1 - beta2Power),
    learningRate * weightDecay,
  );
}
