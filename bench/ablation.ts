/**
 * What Adaptive Bad-case Sampling adds. The demo's rounds with it against the same rounds with question types
 * drawn uniformly: same base model, round 0, images, teacher and numbers of requests and training steps. And
 * against rounds that train on for as many steps with no new data (`continued`): where rounds start from the adapter
 * of the previous round, a part of the gain over round 0 is longer training.
 *
 * Every seed renders its own dataset: other images, questions, mixture, adapters and requests. Accuracies are
 * multiple choice on the test questions, which neither loop uses.
 *
 * Usage: npm run bench:ablation [-- --seeds 1,2,3]
 */

import { cp, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../src/config/load-config.ts';
import type { Config } from '../src/config/schema.ts';
import { runStepOnce } from '../src/core/manifest.ts';
import { openRunDirectory, roundDirectory } from '../src/core/run-directory.ts';
import { writeJson } from '../src/core/write-file.ts';
import { confidenceInterval, mean } from '../src/evaluation/statistics/student-t.ts';
import { append } from '../src/round/append/append.ts';
import { engineDataFile } from '../src/round/append/generated-data.ts';
import { classify } from '../src/round/classify/classify.ts';
import { embed } from '../src/round/embed/embed.ts';
import { evaluate } from '../src/round/evaluate/evaluate.ts';
import { finetune } from '../src/round/finetune/finetune.ts';
import { freezeConfig } from '../src/round/frozen-config.ts';
import { generate } from '../src/round/generate/generate.ts';
import { merge } from '../src/round/merge/merge.ts';
import { prepareData } from '../src/round/prepare-data/prepare-data.ts';
import { refine } from '../src/round/refine/refine.ts';
import { sample } from '../src/round/sample/sample.ts';
import type { StepContext } from '../src/round/step-context.ts';
import { stepDirectory } from '../src/round/step-directory.ts';
import { extensions } from '../workers/extensions.ts';

type Strategy = Config['sampling']['strategy'] | 'continued';
const otherStrategies: Strategy[] = ['uniform', 'expected-gain', 'high-loss', 'continued'];
const WORK = '.cache/bench/ablation';

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    config: { type: 'string', default: 'configs/demo.yaml' },
    // The demo takes fewer, to end in 12 minutes on two slow cores.
    steps: { type: 'string', default: '650' },
    // Compared with `adaptive`, from the same round 0.
    strategies: { type: 'string', default: 'uniform,continued' },
  },
});
const seeds = flags.seeds.split(',').map(Number);
const others = flags.strategies.split(',').map((name) => {
  const strategy = otherStrategies.find((known) => known === name);
  if (!strategy) throw new Error(`--strategies: ${otherStrategies.join(', ')}, not ${name}`);
  return strategy;
});

async function configFor(seed: number, strategy: Strategy): Promise<Config> {
  const config = await loadConfig(flags.config, { seed });
  if (!config.data.scenes)
    throw new Error(`${flags.config} has no data.scenes: the ablation renders a dataset for each seed`);
  return {
    ...config,
    run: `seed-${seed}-${strategy}`,
    runsDirectory: path.join(WORK, 'runs'),
    data: { ...config.data, root: path.join(WORK, `scenes-${seed}`), scenes: { ...config.data.scenes, seed } },
    // Rounds are compared at equal numbers of steps and requests: none is skipped.
    gate: { ...config.gate, policy: 'always' },
    finetune: { ...config.finetune, epochs: 1, stepsPerEpoch: Number(flags.steps) },
    sampling: { ...config.sampling, ...(strategy !== 'continued' && { strategy }) },
  };
}

/** The files of an `append` without samples. */
async function appendNothing({ run, round }: StepContext): Promise<void> {
  const published = path.join(roundDirectory(run, round), engineDataFile(round));
  const work = async () => {
    await writeJson(published, []);
    return { outputs: [published], metrics: {} };
  };
  await runStepOnce({ directory: stepDirectory(run, round, 'append'), step: 'append', inputs: {}, work });
}

/** Runs one round and returns the accuracy on the test questions, in percent. */
async function runRound(config: Config, strategy: Strategy, run: StepContext['run'], round: number): Promise<number> {
  const context: StepContext = {
    config,
    run,
    round,
    onProgress: () => {},
    signal: new AbortController().signal,
    extensions,
  };
  if (round > 0) {
    const dataSteps = strategy === 'continued' ? [appendNothing] : [embed, sample, generate, refine, append];
    for (const step of dataSteps) await step(context);
  }
  for (const step of [finetune, merge]) await step(context);
  const { testMultipleChoice, multipleChoice } = await evaluate(context);
  await classify(context);
  console.log(
    `seed ${config.seed} ${strategy} round ${round}: test ${testMultipleChoice?.toFixed(1)}, validation ${multipleChoice.toFixed(1)}`,
  );
  return testMultipleChoice ?? multipleChoice;
}

/** Runs all rounds of a strategy; skips what an earlier, interrupted bench finished. */
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
  await prepareData({
    config: frozen,
    run,
    round: 0,
    onProgress: () => {},
    signal: new AbortController().signal,
    extensions,
  });
  const scores: number[] = [];
  for (let round = 0; round <= config.rounds; round++) scores.push(await runRound(frozen, strategy, run, round));
  return { root: run.root, scores };
}

const round0: number[] = [];
const adaptive: number[] = [];
const adaptiveRoots: string[] = [];
for (const seed of seeds) {
  const { scores, root } = await runStrategy(seed, 'adaptive');
  round0.push(scores[0] as number);
  adaptive.push(scores.at(-1) as number);
  adaptiveRoots.push(root);
}
const scoresOf = new Map<Strategy, number[]>();
for (const strategy of others) {
  const scores: number[] = [];
  for (const [index, seed] of seeds.entries()) {
    scores.push((await runStrategy(seed, strategy, adaptiveRoots[index])).scores.at(-1) as number);
  }
  scoresOf.set(strategy, scores);
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
