/** Questions with short answers that follow from a chart's shape, by type. */
import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { type Bar, type Chart, COLORS } from './chart.ts';

export interface ChartQuestion {
  question: string;
  answer: string;
}

type Ask = (chart: Chart, random: SeededRandom) => ChartQuestion | undefined;

const longestFirst = ({ bars }: Chart) => [...bars].sort((a, b) => b.length - a.length);

/** The one bar that comes first; undefined where two are as long. */
function only([first, second]: readonly Bar[]): Bar | undefined {
  return first === undefined || first.length === second?.length ? undefined : first;
}

/** Pairs of bars by what relates them, one kind of relation as likely as the next. */
function pairBy<Key>(
  { bars }: Chart,
  random: SeededRandom,
  relation: (longer: Bar, shorter: Bar) => Key | undefined,
): [longer: Bar, shorter: Bar, key: Key] | undefined {
  const pairs = new Map<Key, [Bar, Bar][]>();
  for (const longer of bars) {
    for (const shorter of bars) {
      const key = longer.length > shorter.length ? relation(longer, shorter) : undefined;
      if (key !== undefined) pairs.set(key, [...(pairs.get(key) ?? []), [longer, shorter]]);
    }
  }
  if (pairs.size === 0) return undefined;
  const key = random.pick([...pairs.keys()]);
  const [longer, shorter] = random.pick(pairs.get(key) as [Bar, Bar][]);
  return [longer, shorter, key];
}

const questions = {
  counting({ bars }, random) {
    const question = random.pick(['How many bars are there?', 'How many bars does the chart have?']);
    return { question, answer: String(bars.length) };
  },
  extreme(chart, random) {
    const isLongest = random.uniform() < 0.5;
    const ordered = longestFirst(chart);
    const found = only(isLongest ? ordered : ordered.reverse());
    return found && { question: `Which color is the ${isLongest ? 'longest' : 'shortest'} bar?`, answer: found.color };
  },
  length({ bars }, random) {
    const { color, length } = random.pick(bars);
    return { question: `How long is the ${color} bar?`, answer: String(length) };
  },
  neighbor({ bars }, random) {
    const index = random.integer(bars.length - 1);
    const [bar, next] = bars.slice(index, index + 2) as [Bar, Bar];
    return random.uniform() < 0.5
      ? { question: `Which color is the bar after the ${bar.color} bar?`, answer: next.color }
      : { question: `Which color is the bar before the ${next.color} bar?`, answer: bar.color };
  },
  ratio(chart, random) {
    const pair = pairBy(chart, random, (longer, shorter) => {
      const ratio = longer.length / shorter.length;
      return Number.isInteger(ratio) && ratio <= 4 ? ratio : undefined;
    });
    if (!pair) return undefined;
    const [longer, shorter, ratio] = pair;
    return {
      question: `How many times as long as the ${shorter.color} bar is the ${longer.color} bar?`,
      answer: String(ratio),
    };
  },
  difference(chart, random) {
    const pair = pairBy(chart, random, (longer, shorter) => longer.length - shorter.length);
    if (!pair) return undefined;
    const [longer, shorter, difference] = pair;
    return {
      question: `By how much is the ${longer.color} bar longer than the ${shorter.color} bar?`,
      answer: String(difference),
    };
  },
  comparison({ bars }, random) {
    const bar = random.pick(bars);
    const longer = bars.filter(({ length }) => length > bar.length).length;
    return { question: `How many bars are longer than the ${bar.color} bar?`, answer: String(longer) };
  },
} satisfies Record<string, Ask>;

export type ChartQuestionType = keyof typeof questions;
export const CHART_QUESTION_TYPES = Object.keys(questions) as ChartQuestionType[];

/** A question of a type, or undefined where the chart has no such question with one answer. */
export function askAboutChart(type: ChartQuestionType, chart: Chart, random: SeededRandom): ChartQuestion | undefined {
  return questions[type](chart, random);
}

/** Answers that questions of any type may have. */
export const ANSWERS: readonly string[] = [...COLORS, ...Array.from({ length: 9 }, (_, number) => String(number))];
