import { aokvqa } from './aokvqa.ts';
import type { Benchmark } from './benchmark.ts';
import { mmbench } from './mmbench.ts';
import { questions } from './questions.ts';
import { seedBench } from './seed-bench.ts';

export { questionColumns } from '../../datasets/own-questions.ts';
export { tableFormats } from '../../datasets/tables/index.ts';
export { fieldKinds, metricNames, metricsWith } from '../metrics/index.ts';
export { type AnswerMode, answerModes, type PromptName, promptNames, type QuestionSettings } from './benchmark.ts';

/** All benchmarks, by the name that a config or the command line gives. A new one is a file and its line here. */
export const benchmarks = {
  aokvqa,
  mmbench,
  'seed-bench': seedBench,
  questions,
} as const;

export type BenchmarkName = keyof typeof benchmarks;

export const benchmarkNames = Object.keys(benchmarks) as [BenchmarkName, ...BenchmarkName[]];

/** The benchmark of a name. The questions that it reads are passed back to it as they are. */
export function benchmarkOf(name: BenchmarkName): Benchmark {
  return benchmarks[name] as unknown as Benchmark;
}
