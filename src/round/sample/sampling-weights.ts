import { join } from 'node:path';
import { configError } from '../../core/input-error.ts';
import { countBy } from '../../core/records.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeJson } from '../../core/write-file.ts';
import { readEngineData } from '../../datasets/engine-data.ts';
import type { Weights } from '../../evaluation/bad-cases.ts';
import { dampWeights, type FailedAttempt } from '../../evaluation/damped-weights.ts';
import { countByType, expectedGain, type TypeResults } from '../../evaluation/expected-gain.ts';
import { lossOfRightChoice, lossWeights } from '../../evaluation/loss-weights.ts';
import { generatedData } from '../append/generated-data.ts';
import { readErrorWeights } from '../classify/results.ts';
import { answersFile, readAnswers } from '../evaluate/results.ts';
import { finishedStep } from '../finished-step.ts';
import { lineageBefore, setAsideSince } from '../gate/lineage.ts';
import type { StepContext } from '../step-context.ts';
import { readRequestsByType, requestsByTypeFile } from './results.ts';

const gainFile = 'expected_gain.json';
const lossFile = 'loss_weights.json';

/** The weights that a round draws question types by. */
export interface SamplingWeights {
  /** What they depend on, besides the weights of the last good round. */
  inputs: unknown;
  /** Hashes of the results of the rounds that were set aside since then; undefined when there are none. */
  setAside: unknown;
  /** Computes them, and writes the figures behind them into the folder. */
  read(directory: string): Promise<Weights>;
  /** Names of the files that `read` writes. */
  outputs: string[];
  /** `idx` of a bad case → the weight that it is drawn with among those of its type; absent where all have the same. */
  readBadCaseWeights?(): Promise<ReadonlyMap<string, number>>;
}

/**
 * By the config's strategy: error rates (`weight.json`), the expected gain of a sample, or the model's losses. Question types that were drawn
 * by rounds which were set aside since the last good one are drawn less (`dampWeights`).
 */
export async function samplingWeights(context: StepContext): Promise<SamplingWeights> {
  const lineage = await lineageBefore(context, context.round);
  const weights = await strategyWeights(context, lineage);
  const attempts = await failedAttempts(context, lineage.at(-1) ?? 0);
  if (attempts === undefined) return { ...weights, setAside: undefined };
  return {
    ...weights,
    setAside: attempts.hashes,
    read: async (directory) => dampWeights(await weights.read(directory), await attempts.read()),
  };
}

async function strategyWeights(
  { config, run }: StepContext,
  lineage: readonly number[],
): Promise<Omit<SamplingWeights, 'setAside'>> {
  const lastGood = lineage.at(-1) ?? 0;
  switch (config.sampling.strategy) {
    case 'expected-gain':
      return gainWeights(run, lineage);
    case 'high-loss':
      return highLossWeights(run, lastGood);
    case 'adaptive':
    case 'difficulty-window':
    case 'uniform': {
      const { directory } = await finishedStep(run, lastGood, 'classify');
      return { inputs: undefined, read: () => readErrorWeights(directory), outputs: [] };
    }
  }
}

/** @throws InputError, when the weights are read, for answers that were written: they have no losses */
async function highLossWeights(run: RunDirectory, round: number): Promise<Omit<SamplingWeights, 'setAside'>> {
  const { directory: evaluated, manifest } = await finishedStep(run, round, 'evaluate');
  const compute = async () => {
    const records = await readAnswers(evaluated);
    const written = records.filter((record) => lossOfRightChoice(record) === undefined).length;
    if (written > 0)
      throw configError(
        'sampling.strategy',
        `high-loss goes by the losses of ranked choices, and ${written} of ${records.length} validation questions of round ${round} were answered in writing`,
        'Choose adaptive or expected-gain',
      );
    return lossWeights(records);
  };
  let computed: ReturnType<typeof compute> | undefined;
  const read = () => {
    computed ??= compute();
    return computed;
  };
  return {
    inputs: manifest.outputs[answersFile],
    outputs: [lossFile],
    read: async (directory) => {
      const { types } = await read();
      await writeJson(join(directory, lossFile), types);
      return types;
    },
    readBadCaseWeights: async () => (await read()).questions,
  };
}

async function gainWeights(run: RunDirectory, lineage: readonly number[]): Promise<Omit<SamplingWeights, 'setAside'>> {
  const evaluations: Awaited<ReturnType<typeof finishedStep>>[] = [];
  for (const round of lineage) evaluations.push(await finishedStep(run, round, 'evaluate'));
  const added = await generatedData(run, lineage);
  return {
    inputs: [evaluations.map(({ manifest }) => manifest.outputs[answersFile]), added.map(({ hash }) => hash)],
    outputs: [gainFile],
    read: async (directory) => {
      const results: TypeResults[] = [];
      for (const round of lineage) results.push(await typeResults(run, round));
      const samplesAdded = [];
      for (const { file } of added)
        samplesAdded.push(countBy(await readEngineData(file), (sample) => sample.question_type));
      const gains = expectedGain({ results, samplesAdded });
      await writeJson(join(directory, gainFile), gains);
      return Object.fromEntries(Object.entries(gains).map(([type, { weight }]) => [type, weight]));
    },
  };
}

/** The rounds that were built on the last good one and set aside. */
async function failedAttempts(
  context: StepContext,
  lastGood: number,
): Promise<{ hashes: unknown; read(): Promise<FailedAttempt[]> } | undefined> {
  const { run, round } = context;
  const failed = await setAsideSince(context, round);
  if (failed.length === 0) return undefined;
  const hashes: unknown[] = [];
  for (const number of failed) {
    const sampled = await finishedStep(run, number, 'sample');
    const evaluated = await finishedStep(run, number, 'evaluate');
    hashes.push([sampled.manifest.outputs[requestsByTypeFile], evaluated.manifest.outputs[answersFile]]);
  }
  return {
    hashes,
    read: async () => {
      const before = await typeResults(run, lastGood);
      const attempts: FailedAttempt[] = [];
      for (const number of failed) {
        const { directory } = await finishedStep(run, number, 'sample');
        attempts.push({
          requestsByType: await readRequestsByType(directory),
          before,
          after: await typeResults(run, number),
        });
      }
      return attempts;
    },
  };
}

async function typeResults(run: RunDirectory, round: number): Promise<TypeResults> {
  const { directory } = await finishedStep(run, round, 'evaluate');
  return countByType(await readAnswers(directory));
}
