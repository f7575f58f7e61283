/** How far rounding its weights may move a merged model's logits. */
import type { TensorDtype } from '../../../model/files/safetensors-header.ts';

/**
 * The largest relative error of a value that is rounded to a format with 11 and with 8 significant bits. Sums are computed in
 * float32: there nothing is rounded that the comparison does not round too.
 */
const unitRoundoff: Record<TensorDtype, number> = { F32: 0, F16: 2 ** -11, BF16: 2 ** -8, I64: 0 };

/**
 * So many times its unit roundoff, of the largest logit. Each weight is off by at most once that of its own size, up or down,
 * and a logit sums over thousands of them, layer by layer: most of it cancels.
 */
const ALLOWED_ROUNDOFFS = 8;

/**
 * The most that a logit of the merged model may differ by from that of base + adapter.
 *
 * @param tolerance without rounding
 * @param formats what the merged weights are rounded to
 * @param logits of base + adapter
 */
export function allowedDifference(tolerance: number, formats: readonly TensorDtype[], logits: Float32Array): number {
  const roundoff = Math.max(0, ...formats.map((format) => unitRoundoff[format]));
  const largest = logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return tolerance + ALLOWED_ROUNDOFFS * roundoff * largest;
}
