/**
 * The example of charts: its questions are answered by the pixels of its images, its data are read by the loop's readers, and
 * its teacher's answers by the loop's parser.
 */
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import {
  type Chart,
  type Color,
  chartOfFacts,
  factsOf,
  randomChart,
  renderChart,
} from '../../examples/charts/chart.ts';
import { askAboutChart, CHART_QUESTION_TYPES, type ChartQuestionType } from '../../examples/charts/questions.ts';
import { answerRequest } from '../../examples/charts/teacher.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { ParsedShortAnswer } from '../../src/generation/filters.ts';
import { parseShortAnswer } from '../../src/generation/parse-short-answer.ts';
import { describeCaptions } from '../../src/generation/prompt.ts';

const charts = Array.from({ length: 60 }, (_, index) => randomChart(seededRandom('charts test').fork(index)));

const colors: Record<Color, [number, number, number]> = {
  red: [227, 33, 28],
  orange: [255, 138, 20],
  yellow: [255, 225, 31],
  green: [24, 160, 56],
  blue: [31, 95, 224],
  purple: [143, 47, 214],
  black: [20, 20, 20],
  gray: [160, 160, 160],
};

/** The bars as they can be seen: the box of each color's pixels, its longer side in eighths of the plot. */
async function lookAt(image: Buffer): Promise<Chart['bars']> {
  const { data, info } = await sharp(image).raw().toBuffer({ resolveWithObject: true });
  const boxes = (Object.keys(colors) as Color[]).flatMap((color) => {
    const [columns, rows] = [Array(info.width).fill(0), Array(info.height).fill(0)];
    for (let at = 0; at < data.length; at += info.channels) {
      if (colors[color].some((value, channel) => value !== data[at + channel])) continue;
      const pixel = at / info.channels;
      columns[pixel % info.width] += 1;
      rows[Math.floor(pixel / info.width)] += 1;
    }
    // Where a grid line meets an edge a pixel may have a bar's color.
    const many = (count: number) => count > 4;
    const [left, right] = [columns.findIndex(many), columns.findLastIndex(many)];
    const [top, bottom] = [rows.findIndex(many), rows.findLastIndex(many)];
    return left < 0 || top < 0 ? [] : [{ color, left, right, top, bottom }];
  });
  // Columns end at the bottom, rows start at the left.
  const spread = (values: number[]) => Math.max(...values) - Math.min(...values);
  const isColumns = spread(boxes.map(({ bottom }) => bottom)) < spread(boxes.map(({ left }) => left));
  const plot = info.width - 16;
  return boxes
    .sort((a, b) => (isColumns ? a.left - b.left : a.top - b.top))
    .map(({ color, left, right, top, bottom }) => ({
      color,
      length: Math.round(((isColumns ? bottom - top : right - left) / plot) * 8),
    }));
}

test('a chart shows what its facts say, and the same chart gives the same bytes', async () => {
  for (const chart of charts) {
    const image = await renderChart(chart);
    expect(await lookAt(image), factsOf(chart).join(' ')).toEqual(chart.bars);
    expect(chartOfFacts(factsOf(chart).join('\n'))).toEqual(chart);
  }
  const [first] = charts as [Chart];
  expect(await renderChart(first)).toEqual(await renderChart(first));
});

test.each(CHART_QUESTION_TYPES)('the answers to %s vary, and none is right most of the time', (type) => {
  const answers = Array.from({ length: 2000 }, (_, index) => {
    const random = seededRandom('answers').fork(index);
    return askAboutChart(type, randomChart(random), random)?.answer;
  }).filter((answer) => answer !== undefined);
  expect(answers.length).toBeGreaterThan(1000);
  const shares = [...new Set(answers)].map((one) => answers.filter((answer) => answer === one).length / answers.length);
  expect(shares.length).toBeGreaterThanOrEqual(3);
  expect(Math.max(...shares)).toBeLessThan(0.55);
});

const prompt = (type: string, chart: Chart) =>
  `## Question type\n\n${type}: …\n\n## Captions\n\n${describeCaptions(factsOf(chart))}\n\n## Objects\n\n(none)`;

test('the teacher writes questions that the loop reads, and is wrong about one time in twenty', () => {
  let wrong = 0;
  let asked = 0;
  for (const type of CHART_QUESTION_TYPES) {
    for (const chart of charts) {
      const answer = answerRequest(prompt(type, chart));
      if (answer.startsWith('Skip')) continue;
      asked += 1;
      const sample = parseShortAnswer(answer) as ParsedShortAnswer;
      expect(sample).toMatchObject({ question: expect.stringMatching(/\?$/), answer: expect.stringMatching(/^\w+$/) });
      if (!answersOf(type, chart, sample.question).has(sample.answer)) wrong += 1;
    }
  }
  expect(asked).toBeGreaterThan(300);
  expect(wrong / asked).toBeGreaterThan(0.02);
  expect(wrong / asked).toBeLessThan(0.09);
});

/** The right answers to a question, found by asking many of its type. */
function answersOf(type: ChartQuestionType, chart: Chart, question: string): Set<string> {
  const all = Array.from({ length: 400 }, (_, index) => askAboutChart(type, chart, seededRandom('same').fork(index)));
  return new Set(all.flatMap((one) => (one?.question === question ? [one.answer] : [])));
}

test('its config is valid, and a request without a chart is skipped', async () => {
  const config = await loadConfig(join('examples', 'charts', 'charts.yaml'));
  expect(config.data.validation.questions).toMatchObject({ metric: 'relaxed-accuracy' });
  expect(answerRequest('## Question type\n\nratio: …\n\n## Captions\n\nA dog.\n\n## Objects')).toMatch(/^Skip/);
});
