/**
 * The base model's pretraining: bars and their places, then texts that describe charts and compare numbers. It sees no
 * question of the benchmark: the loop's finetuning teaches those.
 */
import type { PretrainingDomain, Stage1Text } from '../../demo/pretrain/domain.ts';
import type { Stage1Settings } from '../../demo/pretrain/stage1-settings.ts';
import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { captionRequest } from '../../src/datasets/question-text.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../src/model/families/prompt-form.ts';
import {
  type Bar,
  boxOfBar,
  type Chart,
  COLORS,
  chartPixels,
  DIRECTIONS,
  FEWEST_BARS,
  factsOf,
  LONGEST,
  MOST_BARS,
  randomChart,
} from './chart.ts';
import { askAboutChart, CHART_QUESTION_TYPES } from './questions.ts';

const withImage = (request: string) => questionTurn(miniGpt4PromptForm, `${request}\n`, { withImage: true });
const withoutImage = (request: string) => questionTurn(miniGpt4PromptForm, `${request}\n`, { withImage: false });

const nothing = { color: COLORS.length, length: LONGEST };

function labelsOf(bar: Bar | undefined) {
  return bar === undefined ? nothing : { color: COLORS.indexOf(bar.color), length: bar.length - 1 };
}

const texts: Record<string, (chart: Chart, random: SeededRandom) => Stage1Text> = {
  inventory: ({ bars }) => ({
    prompt: withImage('List the bars.'),
    answer: `${bars.map(({ color, length }, index) => `${index + 1} ${color} ${length}`).join(', ')}.`,
  }),
  caption: (chart) => ({ prompt: withImage(captionRequest), answer: factsOf(chart)[0] as string }),
  bar({ bars }, random) {
    const index = random.integer(bars.length);
    const { color, length } = bars[index] as Bar;
    const [name, answer] =
      random.uniform() < 0.5 ? [`bar ${index + 1}`, `${color} ${length}.`] : [color, `bar ${index + 1}, ${length}.`];
    return { prompt: withImage(`Describe ${name}.`), answer };
  },
  /** The bars by length: what is longest and shortest, by shape. */
  sorted({ bars }, random) {
    const up = random.uniform() < 0.5;
    const ordered = [...bars].sort((a, b) => (up ? a.length - b.length : b.length - a.length));
    const list = ordered.map(({ color, length }) => `${length} ${color}`).join(', ');
    return { prompt: withImage(up ? 'Sort up.' : 'Sort down.'), answer: `${list}.` };
  },
  /** Arithmetic, as a language model that was pretrained on text knows it. */
  arithmetic(_, random) {
    const [a, b] = [1 + random.integer(4), 1 + random.integer(LONGEST)];
    const [small, large] = [Math.min(b, a + 1), Math.max(b, a + 1)];
    return random.uniform() < 0.5
      ? { prompt: withoutImage(`${a * b} is how many times ${b}?`), answer: `${a}.` }
      : { prompt: withoutImage(`${large} minus ${small}?`), answer: `${large - small}.` };
  },
  /** The words that questions are asked in, to be said again: read, but not answered. */
  echo(chart, random) {
    const text = askAboutChart(random.pick(CHART_QUESTION_TYPES), chart, random)?.question ?? 'How many bars?';
    return { prompt: withoutImage(`Repeat: ${text}`), answer: text };
  },
};

export const chartsDomain: PretrainingDomain<Chart> = {
  draw: randomChart,
  pixels: chartPixels,
  vision: {
    objectClasses: { color: COLORS.length + 1, length: LONGEST + 1 },
    imageClasses: { direction: DIRECTIONS.length, count: MOST_BARS - FEWEST_BARS + 1 },
    places: MOST_BARS,
    placeLabels: ({ bars }) => Array.from({ length: MOST_BARS }, (_, index) => labelsOf(bars[index])),
    patchLabels(chart, patchesPerSide) {
      const boxes = chart.bars.map((_, index) => boxOfBar(chart, index));
      return Array.from({ length: patchesPerSide ** 2 }, (_, patch) => {
        const x = ((patch % patchesPerSide) + 0.5) / patchesPerSide;
        const y = (Math.floor(patch / patchesPerSide) + 0.5) / patchesPerSide;
        const index = boxes.findIndex(([left, top, right, bottom]) => x >= left && x < right && y >= top && y < bottom);
        return labelsOf(chart.bars[index]);
      });
    },
    imageLabels: ({ direction, bars }) => ({
      direction: DIRECTIONS.indexOf(direction),
      count: bars.length - FEWEST_BARS,
    }),
  },
  textKinds: { inventory: 0.2, caption: 0.05, bar: 0.35, sorted: 0.2, arithmetic: 0.1, echo: 0.1 },
  reportedKind: 'bar',
  text: (kind, chart, random) => (texts[kind] as (typeof texts)[string])(chart, random),
  question(chart, random) {
    const asked = askAboutChart(random.pick(CHART_QUESTION_TYPES), chart, random);
    return asked && { prompt: withImage(asked.question), answer: asked.answer };
  },
};

export const CHARTS_STAGE1: Stage1Settings = {
  seed: 2308,
  vocabularySize: 512,
  images: 8000,
  weightDecay: 0.05,
  vision: {
    steps: 2000,
    batchSize: 32,
    learningRate: { initial: 1e-5, peak: 2e-3, final: 2e-5, warmupSteps: 200 },
  },
  language: {
    steps: 4000,
    batchSize: 32,
    learningRate: { initial: 1e-5, peak: 1.2e-3, final: 2e-5, warmupSteps: 200 },
  },
};
