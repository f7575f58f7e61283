import { type Command, InvalidArgumentError } from 'commander';
import type { QuestionPlan } from '../src/evaluation/plan-power.ts';
import { integer, missingOption, share, wrongOption } from './options.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

interface PowerOptions {
  difference: number;
  disagreement?: number;
  questions?: number;
  perImage: number;
  correlation: number;
  benchmarks?: number;
  seedDeviation?: number;
  seeds?: number;
  level: number;
  power: number;
  json: boolean;
}

/** Of runs with several seeds: what the paired t test finds. Differences in points. */
interface SeedPlan {
  needed: number | undefined;
  powerAtHand?: number;
  foundAtHand?: number | undefined;
}

/** Adds `dataengine power`. */
export function addPowerCommand(program: Command): void {
  program
    .command('power [first] [second]')
    .description('how many questions and seeds it takes to find a difference between two models')
    .requiredOption('--difference <points>', 'the smallest difference that matters, in points (percent)', points)
    .option('--disagreement <percent>', 'questions that only one of the two models answers correctly', points)
    .option('--questions <number>', 'questions at hand: what they find', integer(2))
    .option('--per-image <number>', 'questions about each image', integer(1), 1)
    .option('--correlation <share>', 'of the differences on two questions about one image', share, 0.5)
    .option(
      '--benchmarks <number>',
      "benchmarks tested at once, by Holm's correction (default: those given)",
      integer(1),
    )
    .option('--seed-deviation <points>', 'standard deviation of the difference between seeds', points)
    .option('--seeds <number>', 'seeds at hand: what they find', integer(2))
    .option('--level <share>', 'probability of a difference where there is none, two-sided', share, 0.05)
    .option('--power <share>', 'probability that the difference is found', share, 0.8)
    .option('--json', 'one JSON value instead of a table', false)
    .addHelpText(
      'after',
      '\nTwo evaluations, as for `dataengine compare`, say how often their models disagree, and how much questions about\n' +
        'one image go together.\n\nExamples:\n' +
        '  dataengine power --difference 2 --disagreement 15\n' +
        '  dataengine power --difference 2 --disagreement 15 --per-image 3 --benchmarks 12 --seed-deviation 0.8\n' +
        '  dataengine power --difference 3 runs/demo/round-0/evaluate runs/demo/round-2/evaluate',
    )
    .action(async (first: string | undefined, second: string | undefined, options: PowerOptions, command: Command) => {
      requireWithin(options);
      requireUsed(first, options, command);
      const questions = await planOfQuestions(first, second, options);
      const seeds = await planOfSeeds(options);
      if (options.json) process.stdout.write(`${JSON.stringify({ questions, seeds })}\n`);
      else tell(formatPlans(questions, seeds, options));
    });
}

async function planOfQuestions(
  first: string | undefined,
  second: string | undefined,
  options: PowerOptions,
): Promise<QuestionPlan[]> {
  const { planQuestions, expectFromEvaluations } = await import('../src/evaluation/plan-power.ts');
  const { designEffect } = await import('../src/evaluation/statistics/power.ts');
  const { difference, disagreement, questions, perImage, correlation, benchmarks } = options;
  if (first !== undefined) {
    if (second === undefined) throw missingOption('<second>', 'the evaluation that <first> is compared with');
    const expected = await expectFromEvaluations(first, second);
    return planQuestions(expected, difference / 100, options, benchmarks);
  }
  if (disagreement === undefined) {
    if (options.seedDeviation !== undefined) return [];
    throw missingOption('--disagreement', 'two evaluations, or --seed-deviation');
  }
  const expected = {
    disagreement: disagreement / 100,
    rightOrWrong: true,
    designEffect: designEffect(perImage, correlation),
    questions,
  };
  return planQuestions([expected], difference / 100, options, benchmarks);
}

async function planOfSeeds(options: PowerOptions): Promise<SeedPlan | undefined> {
  const { difference, seedDeviation, seeds, level, power } = options;
  if (seedDeviation === undefined) return undefined;
  const { seedsNeeded, powerOfSeeds, effectFound } = await import('../src/evaluation/statistics/power.ts');
  const effect = difference / seedDeviation;
  const found = seeds === undefined ? undefined : effectFound(seeds, { level, power });
  return {
    needed: seedsNeeded(effect, { level, power }),
    ...(seeds !== undefined && {
      powerAtHand: powerOfSeeds(seeds, effect, level),
      foundAtHand: found === undefined ? undefined : found * seedDeviation,
    }),
  };
}

function formatPlans(
  questions: readonly QuestionPlan[],
  seeds: SeedPlan | undefined,
  { difference, level, power, seeds: atHand }: PowerOptions,
): string {
  const lines: string[] = [];
  const percent = (value: number | undefined, digits = 1) =>
    value === undefined ? '–' : (100 * value).toFixed(digits);
  if (questions.length > 0) {
    const head = ['set', 'disagree %', 'design effect', 'questions needed', 'at hand', 'power %', 'finds (points)'];
    const rows = questions.map((plan) => [
      plan.set ?? 'questions',
      percent(plan.disagreement),
      plan.designEffect.toFixed(2),
      plan.needed,
      plan.questions ?? '–',
      percent(plan.powerAtHand),
      percent(plan.foundAtHand),
    ]);
    const [{ level: strictest = level } = {}] = questions;
    lines.push(
      `A difference of ${difference} points, found with a probability of ${Number((100 * power).toPrecision(12))} % at the level ${Number(strictest.toPrecision(3))}` +
        `${strictest < level ? ` (Holm's strictest, of ${level})` : ''}:`,
      textTable(head, rows, { textColumns: 1, compact: true }),
    );
  }
  if (seeds !== undefined) {
    lines.push(
      seeds.needed === undefined
        ? 'Not even ten thousand seeds find it by the paired t test.'
        : `Seeds needed by the paired t test: ${seeds.needed}, each with both ways of training.`,
      ...(seeds.powerAtHand === undefined
        ? []
        : [
            `With ${atHand} seeds the power is ${percent(seeds.powerAtHand)} %; they find ${(seeds.foundAtHand ?? 0).toFixed(2)} points.`,
          ]),
    );
  }
  return lines.join('\n');
}

function requireWithin({ difference, disagreement, level, power }: PowerOptions): void {
  if (disagreement !== undefined && disagreement < difference) {
    const problem = `${disagreement} % is less than the difference of ${difference} points`;
    const remedy = 'Models that differ by so much disagree on as many questions, or more';
    throw wrongOption('--disagreement', problem, remedy);
  }
  for (const [field, value] of Object.entries({ '--level': level, '--power': power })) {
    if (value <= 0 || value >= 1) throw wrongOption(field, `is ${value}`, 'Give a number between 0 and 1');
  }
}

/** An option that would change nothing is refused. */
function requireUsed(first: string | undefined, options: PowerOptions, command: Command): void {
  const { disagreement, seedDeviation } = options;
  const refuse = (names: Record<string, string>, problem: string) => {
    const field = Object.keys(names).find((one) => command.getOptionValueSource(names[one] as string) === 'cli');
    if (field !== undefined) throw wrongOption(field, problem, 'Leave it out');
  };
  const ofQuestions = {
    '--questions': 'questions',
    '--per-image': 'perImage',
    '--correlation': 'correlation',
  };
  if (first !== undefined) {
    refuse({ '--disagreement': 'disagreement', ...ofQuestions }, 'is what the two evaluations say');
  } else if (disagreement === undefined && seedDeviation !== undefined) {
    refuse({ ...ofQuestions, '--benchmarks': 'benchmarks' }, 'is for questions, and there is no --disagreement');
  }
  if (seedDeviation === undefined) refuse({ '--seeds': 'seeds' }, 'is for --seed-deviation, which is missing');
}

/** For commander: more than 0, up to 100. */
function points(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 100)) throw new InvalidArgumentError('Give a number up to 100.');
  return value;
}
