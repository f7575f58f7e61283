import { chartQa, docVqa, gqa, okVqa, textVqa, vizWiz, vqaV2 } from './answer-benchmarks.ts';
import { aokvqa } from './aokvqa.ts';
import type { Benchmark } from './benchmark.ts';
import { ai2d, mmstar, realWorldQa, scienceQa } from './choice-benchmarks.ts';
import { hallusionBench } from './hallusion-bench.ts';
import { mmbench } from './mmbench.ts';
import { mme } from './mme.ts';
import { mmmu } from './mmmu.ts';
import { pope } from './pope.ts';
import { questions } from './questions.ts';
import { seedBench } from './seed-bench.ts';
import { seedBench2 } from './seed-bench-2.ts';
import { tsv } from './tsv.ts';

export { questionColumns } from '../../datasets/own-questions.ts';
export { tableFormats } from '../../datasets/tables/index.ts';
export { fieldKinds, metricNames, metricsWith } from '../metrics/index.ts';
export { type AnswerMode, answerModes, type PromptName, promptNames, type QuestionSettings } from './benchmark.ts';

/** All benchmarks, by the name that a config or the command line gives. A new one is a file and its line here. */
export const benchmarks = {
  aokvqa,
  mmbench,
  'seed-bench': seedBench,
  'seed-bench-2': seedBench2,
  pope,
  mme,
  'scienceqa-img': scienceQa,
  mmstar,
  ai2d,
  realworldqa: realWorldQa,
  mmmu,
  gqa,
  textvqa: textVqa,
  vqav2: vqaV2,
  'ok-vqa': okVqa,
  chartqa: chartQa,
  docvqa: docVqa,
  vizwiz: vizWiz,
  'hallusion-bench': hallusionBench,
  questions,
  tsv,
} as const;

export type BenchmarkName = keyof typeof benchmarks;

export const benchmarkNames = Object.keys(benchmarks) as [BenchmarkName, ...BenchmarkName[]];

/** The benchmark of a name. The questions that it reads are passed back to it as they are. */
export function benchmarkOf(name: BenchmarkName): Benchmark {
  return benchmarks[name] as unknown as Benchmark;
}
