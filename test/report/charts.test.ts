import { expect, test, vi } from 'vitest';
import { lossChart, smooth, timeChart } from '../../src/report/charts.ts';
import { drawChart } from '../../src/report/draw-chart.ts';
import type { ReportRound } from '../../src/report/report-input.ts';
import { emptyRound } from './empty-round.ts';

const round: ReportRound = {
  ...emptyRound,
  lossCurve: [1, 2, 3, 4].map((step) => ({ step, loss: 4 / (step + 1) })),
};

test('the validation loss is a dashed line beside the training loss, with a point for each computation', async () => {
  const without = await drawChart(lossChart([round])(556));
  expect(without).not.toContain('stroke-dasharray');
  const validationLosses = [2, 4].map((step) => ({ step, loss: 5 / step }));
  const chart = await drawChart(
    lossChart([
      { ...round, validationLosses },
      { ...round, round: 1 },
    ])(556),
  );
  expect(chart.match(/stroke-dasharray="6,3"/g)).toHaveLength(1);
  // Two curves, each as it is and smoothed, and one of the validation loss with its two points.
  expect(chart.match(/stroke="#[0-9a-f]{6}"/g)?.length).toBeGreaterThanOrEqual(5);
});

test('a noisy curve is smoothed over a twentieth of its length, a short one stays as it is', () => {
  const noisy = Array.from({ length: 200 }, (_, step) => ({ step: step + 1, loss: step % 2 === 0 ? 3 : 1 }));
  const smoothed = smooth(noisy);
  expect(smoothed[0]?.loss).toBeCloseTo(3);
  for (const { loss } of smoothed.slice(60)) expect(Math.abs(loss - 2)).toBeLessThan(0.1);
  expect(smooth(noisy.slice(0, 12))).toEqual(noisy.slice(0, 12));
});

test('the axis of the loss is logarithmic where losses differ much', async () => {
  const falling = { ...round, lossCurve: [8, 4, 2, 1, 0.5].map((loss, index) => ({ step: index + 1, loss })) };
  expect(await drawChart(lossChart([falling])(556))).toContain('Loss (logarithmic)');
  expect(await drawChart(lossChart([round])(556))).not.toContain('Loss (logarithmic)');
});

test('a chart is as wide as it is asked to be, and writes nothing to the terminal', async () => {
  const warn = vi.spyOn(console, 'warn');
  const timed = { ...round, secondsByStep: { finetune: 60, merge: 4 } };
  for (const width of [358, 556, 1144]) {
    for (const chart of [lossChart([round]), timeChart([timed])])
      expect(await drawChart(chart(width))).toContain(`<svg version="1.1" class="marks" width="${width}"`);
  }
  expect(warn).not.toHaveBeenCalled();
});
