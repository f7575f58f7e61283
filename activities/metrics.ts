/**
 * The metrics of steps for Prometheus. The SDK adds the activity's type, the task queue and the namespace to each.
 */
import { Context } from '@temporalio/activity';
import type { Progress } from '../src/trainer/protocol.ts';

export interface StepMetrics {
  progress(progress: Progress): void;
  /** Records the step's working time, and its cost where it has one. */
  done(outcome: unknown): void;
}

/** The metrics of the current activity. */
export function stepMetrics(): StepMetrics {
  const { metricMeter } = Context.current();
  const seconds = metricMeter.createHistogram('dataengine_step_seconds', 'float', 's', 'Working time of a step');
  const tokens = metricMeter.createGauge('dataengine_tokens_per_second', 'float', '', 'Tokens a second of a trainer');
  const loss = metricMeter.createGauge('dataengine_loss', 'float', '', 'Loss of the step under way');
  const spend = metricMeter.createCounter(
    'dataengine_spend_millionths',
    '',
    'Cost of the teacher, in millionths of the currency of its prices',
  );
  return {
    progress({ tokensPerSecond, loss: current }) {
      if (tokensPerSecond !== undefined && tokensPerSecond >= 0) tokens.set(tokensPerSecond);
      if (current !== undefined && current >= 0) loss.set(current);
    },
    done(outcome) {
      if (typeof outcome !== 'object' || outcome === null) return;
      const { seconds: taken, reused, cost, answered } = outcome as Record<string, unknown>;
      if (typeof taken === 'number' && reused === false) seconds.record(taken);
      // Of a chunk of requests; the whole generation's cost is the sum of them.
      if (typeof cost === 'number' && answered !== undefined) spend.add(Math.round(cost * 1e6));
    },
  };
}
