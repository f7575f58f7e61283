import { expect, test } from 'vitest';
import { lossChart } from '../../src/report/charts.ts';
import { drawChart } from '../../src/report/draw-chart.ts';
import type { ReportRound } from '../../src/report/report-input.ts';
import { emptyRound } from './empty-round.ts';

const round: ReportRound = {
  ...emptyRound,
  lossCurve: [1, 2, 3, 4].map((step) => ({ step, loss: 4 / step })),
};

test('the validation loss is a dashed line beside the training loss, with a point for each computation', async () => {
  const without = await drawChart(lossChart([round]));
  expect(without).not.toContain('stroke-dasharray');
  const validationLosses = [2, 4].map((step) => ({ step, loss: 5 / step }));
  const chart = await drawChart(
    lossChart([
      { ...round, validationLosses },
      { ...round, round: 1 },
    ]),
  );
  expect(chart.match(/stroke-dasharray="6,3"/g)).toHaveLength(1);
  expect(chart.match(/aria-roledescription="(line mark|point)"/g)?.length).toBeGreaterThanOrEqual(4);
});
