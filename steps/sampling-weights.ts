import { join } from 'node:path';
import { readEngineData } from '../datasets/engine-data.ts';
import { countByType, expectedGain } from '../evaluation/expected-gain.ts';
import { readEvaluatedQuestions, readWeights, type Weights } from '../evaluation/records.ts';
import { writeJson } from '../store/write-file.ts';
import { weightsFile } from './classify.ts';
import { generatedData } from './engine-data-files.ts';
import { finishedStep } from './finished-step.ts';
import type { StepContext } from './step-context.ts';

const gainFile = 'expected_gain.json';

/** The weights that a round draws question types by. */
export interface SamplingWeights {
  /** What they depend on, besides the weights of the round before. */
  inputs: unknown;
  /** Computes them; what lies behind them is written into the folder. */
  read(directory: string): Promise<Weights>;
  /** Names of the files that `read` writes. */
  outputs: string[];
}

/** By the config's strategy: error rates (`weight.json`), or the expected gain of a sample. */
export async function samplingWeights(context: StepContext): Promise<SamplingWeights> {
  const { config, run, round } = context;
  if (config.sampling.strategy !== 'expected-gain') {
    const { directory } = await finishedStep(run, round - 1, 'classify');
    return { inputs: undefined, read: () => readWeights(join(directory, weightsFile)), outputs: [] };
  }
  const evaluations: Awaited<ReturnType<typeof finishedStep>>[] = [];
  for (let earlier = 0; earlier < round; earlier += 1) evaluations.push(await finishedStep(run, earlier, 'evaluate'));
  const added = await generatedData(run, round - 1);
  return {
    inputs: [evaluations.map(({ manifest }) => manifest.outputs['aokvqa_eval.json']), added.map(({ hash }) => hash)],
    outputs: [gainFile],
    read: async (directory) => {
      const results = [];
      for (const evaluated of evaluations) {
        results.push(countByType(await readEvaluatedQuestions(join(evaluated.directory, 'aokvqa_eval.json'))));
      }
      const samplesAdded = [];
      for (const { file } of added) samplesAdded.push(samplesByType(await readEngineData(file)));
      const gains = expectedGain({ results, samplesAdded });
      await writeJson(join(directory, gainFile), gains);
      return Object.fromEntries(Object.entries(gains).map(([type, { weight }]) => [type, weight]));
    },
  };
}

function samplesByType(samples: readonly { question_type: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { question_type: type } of samples) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
