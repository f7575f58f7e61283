/**
 * Does Adaptive Bad-case Sampling help? The demo's rounds with it against the same rounds with question types
 * drawn uniformly: same base model, round 0, pictures, teacher and numbers of requests and training steps.
 *
 * Every seed is a world of its own: other pictures, questions, mixture, adapters and requests. Accuracies are
 * multiple choice on the test questions, which neither loop ever looks at.
 *
 * Usage: npm run bench:ablation [-- --seeds 1,2,3]
 */
import { cp, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../configs/load-config.ts';
import type { Config } from '../configs/schema.ts';
import { append } from '../steps/append.ts';
import { classify } from '../steps/classify.ts';
import { embed } from '../steps/embed.ts';
import { evaluate } from '../steps/evaluate.ts';
import { finetune } from '../steps/finetune.ts';
import { freezeConfig } from '../steps/frozen-config.ts';
import { generate } from '../steps/generate.ts';
import { merge } from '../steps/merge.ts';
import { prepareData } from '../steps/prepare-data.ts';
import { refine } from '../steps/refine.ts';
import { sample } from '../steps/sample.ts';
import type { StepContext } from '../steps/step-context.ts';
import { openRunDirectory, roundDirectory } from '../store/run-directory.ts';
import { confidenceInterval, mean } from './statistics.ts';

type Strategy = Config['sampling']['strategy'];
const WORK = '.cache/bench/ablation';

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    config: { type: 'string', default: 'configs/demo.yaml' },
    // Compared with `adaptive`, from the same round 0.
    strategies: { type: 'string', default: 'uniform' },
  },
});
const seeds = flags.seeds.split(',').map(Number);
const others = flags.strategies.split(',').map((name) => {
  if (name !== 'uniform' && name !== 'expected-gain')
    throw new Error(`--strategies: uniform, expected-gain, not ${name}`);
  return name;
});

async function configFor(seed: number, strategy: Strategy): Promise<Config> {
  const config = await loadConfig(flags.config, { seed });
  if (!config.data.scenes) throw new Error(`${flags.config} has no data.scenes: the ablation renders a world a seed`);
  return {
    ...config,
    run: `seed-${seed}-${strategy}`,
    runsDirectory: path.join(WORK, 'runs'),
    data: { ...config.data, root: path.join(WORK, `scenes-${seed}`), scenes: { ...config.data.scenes, seed } },
    sampling: { ...config.sampling, strategy },
  };
}

/** Runs one round and returns the accuracy on the test questions, in percent. */
async function runRound(config: Config, run: StepContext['run'], round: number): Promise<number> {
  const context: StepContext = { config, run, round, onProgress: () => {}, signal: new AbortController().signal };
  if (round > 0) {
    for (const step of [embed, sample, generate, refine, append]) await step(context);
  }
  for (const step of [finetune, merge]) await step(context);
  const { testMultipleChoice, multipleChoice } = await evaluate(context);
  await classify(context);
  console.log(
    `seed ${config.seed} ${config.sampling.strategy} round ${round}: test ${testMultipleChoice?.toFixed(1)}, validation ${multipleChoice.toFixed(1)}`,
  );
  return testMultipleChoice ?? multipleChoice;
}

/** Runs all rounds of a strategy; what an earlier, interrupted bench finished is not done again. */
async function runStrategy(
  seed: number,
  strategy: Strategy,
  sharedRound0?: string,
): Promise<{ root: string; scores: number[] }> {
  const config = await configFor(seed, strategy);
  const place = openRunDirectory(config.runsDirectory, config.run as string);
  if (sharedRound0) {
    await mkdir(place.root, { recursive: true });
    const target = roundDirectory(place, 0);
    await rm(target, { recursive: true, force: true });
    await cp(path.join(sharedRound0, path.basename(target)), target, { recursive: true });
  }
  const { directory: run, config: frozen } = await freezeConfig(config, config.run as string);
  await prepareData({ config: frozen, run, round: 0, onProgress: () => {}, signal: new AbortController().signal });
  const scores: number[] = [];
  for (let round = 0; round <= config.rounds; round++) scores.push(await runRound(frozen, run, round));
  return { root: run.root, scores };
}

const round0: number[] = [];
const adaptive: number[] = [];
const scoresOf = new Map<Strategy, number[]>(others.map((strategy) => [strategy, []]));
for (const seed of seeds) {
  const withWeights = await runStrategy(seed, 'adaptive');
  round0.push(withWeights.scores[0] as number);
  adaptive.push(withWeights.scores.at(-1) as number);
  for (const [strategy, scores] of scoresOf) {
    scores.push((await runStrategy(seed, strategy, withWeights.root)).scores.at(-1) as number);
  }
}

const line = (name: string, scores: number[]) => {
  const [low, high] = confidenceInterval(scores);
  console.log(
    `${name.padEnd(26)} ${mean(scores).toFixed(1)}  [${low.toFixed(1)}, ${high.toFixed(1)}]  ${scores.map((score) => score.toFixed(1)).join(' ')}`,
  );
};
const difference = (left: number[], right: number[]) => left.map((score, index) => score - (right[index] as number));
console.log(
  `\nmultiple choice on the test questions in percent, mean, 95% interval (Student's t), seeds ${seeds.join(', ')}`,
);
line('round 0', round0);
line('last round, adaptive', adaptive);
for (const [strategy, scores] of scoresOf) {
  line(`last round, ${strategy}`, scores);
  line(`adaptive - ${strategy}`, difference(adaptive, scores));
}
line('adaptive - round 0', difference(adaptive, round0));

const rounded = (scores: number[]) => Math.round(mean(scores) * 10) / 10;
console.log(
  JSON.stringify({
    bench: 'ablation',
    seeds: seeds.length,
    round0: rounded(round0),
    adaptive: rounded(adaptive),
    ...Object.fromEntries([...scoresOf].map(([strategy, scores]) => [strategy, rounded(scores)])),
  }),
);
