/**
 * The loss of direct preference optimization (Rafailov et al., arXiv 2305.18290), with label smoothing as conservative DPO has it, as
 * TRL's `DPOTrainer` computes them (`loss_type: sigmoid`); with means over tokens that of Tülu 3 (arXiv 2411.15124, TRL's
 * `sigmoid_norm`).
 */
import type { Ops } from '../../../model/ops/ops.ts';
import type { Tape, Variable } from '../../../model/ops/tape.ts';
import type { Value } from '../../../model/ops/value.ts';
import type { FinetuneJob } from '../../protocol.ts';

export type PreferenceLossSettings = Pick<
  NonNullable<FinetuneJob['preference']>,
  'batchSize' | 'beta' | 'labelSmoothing'
>;

/**
 * Log probabilities of the answers of a batch.
 *
 * @param logits `[batch * targets, vocabulary]`
 * @param labels int32 `[batch * targets]`
 * @param weights float32 `[batch * targets]`: zero for padding; else one for a sum over the tokens of an answer, or one divided by
 *   their number for a mean
 * @returns `[batch]`
 */
export function answerLogProbabilities(
  tape: Tape,
  logits: Variable,
  labels: Value,
  weights: Value,
  batch: number,
): Variable {
  const { ops } = tape;
  const places = weights.shape[0] as number;
  const [losses, slope] = ops.crossEntropy(logits.value, labels);
  const rows = (value: Value) => ops.reshape(value, [batch, places / batch]);
  const sums = ops.sum(rows(ops.multiply(losses, weights)), [1]);
  return tape.record([logits], ops.negate(sums), (gradient) => {
    const ofPlaces = ops.multiply(rows(weights), ops.reshape(ops.negate(gradient), [batch, 1]));
    return [ops.multiply(slope, ops.reshape(ofPlaces, [places, 1]))];
  });
}

/**
 * A part's share of the loss of a step's pairs: their mean over all parts.
 *
 * @param logProbabilities `[2 * pairs]`: of all chosen answers, then of all rejected ones
 * @param reference `[pairs]`: by how much the reference finds the chosen answer likelier, as a log probability
 * @param settings.batchSize pairs of the whole step
 * @returns scalar
 */
export function preferenceLoss(
  tape: Tape,
  logProbabilities: Variable,
  reference: Value,
  { batchSize, beta, labelSmoothing }: PreferenceLossSettings,
): Variable {
  const { ops } = tape;
  const pairs = reference.shape[0] as number;
  const [chosen, rejected] = ops.split(logProbabilities.value, [pairs, pairs], 0) as [Value, Value];
  const margins = ops.scale(ops.subtract(ops.subtract(chosen, rejected), reference), beta);
  const [right, wrong] = logSigmoids(ops, margins, pairs);
  const smoothed = ops.add(ops.scale(right, 1 - labelSmoothing), ops.scale(wrong, labelSmoothing));
  const loss = ops.scale(ops.sum(smoothed, [0]), -1 / batchSize);
  return tape.record([logProbabilities], loss, (gradient) => {
    const slope = ops.subtract(ops.sigmoid(margins), ops.scalar(1 - labelSmoothing));
    const ofChosen = ops.multiply(ops.scale(slope, beta / batchSize), gradient);
    return [ops.concat([ofChosen, ops.negate(ofChosen)], 0)];
  });
}

/** Logarithms of the sigmoid of values, and of what is left to one, without overflow. */
function logSigmoids(ops: Ops, values: Value, count: number): [Value, Value] {
  const zeros = ops.constant(new Float32Array(count), [count, 1]);
  const both = ops.logSoftmax(ops.concat([ops.reshape(values, [count, 1]), zeros], 1));
  return ops.split(both, [1, 1], 1).map((value) => ops.reshape(value, [count])) as [Value, Value];
}
