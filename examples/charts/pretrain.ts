/**
 * Trains the example's base model from nothing: about ten minutes on two cores. An interrupted run resumes.
 *
 * Usage: node --import tsx examples/charts/pretrain.ts
 */
import { makeStage1 } from '../../demo/pretrain/stage1.ts';
import { CHARTS_STAGE1, chartsDomain } from './pretraining.ts';

const output = '.cache/charts/base';
const started = performance.now();
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const { loss } = await makeStage1(chartsDomain, output, CHARTS_STAGE1, '.cache/charts/pretrain', {
  progress: ({ step, steps, loss: now }) => {
    if (step % 100 === 0) console.error(`step ${step} of ${steps}, loss ${now?.toFixed(3)}`);
  },
  checkpoint: () => {},
  requireFence: () => undefined,
  note: (message) => console.error(message),
  signal: stop.signal,
});
console.log(`${output}: loss ${loss.toFixed(3)}, ${Math.round((performance.now() - started) / 1000)} s`);
