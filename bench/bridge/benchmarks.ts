import { answerBenchmarks } from './answer-benchmarks.ts';
import type { BridgeBenchmark } from './bridge-benchmark.ts';
import { choiceBenchmarks } from './choice-benchmarks.ts';

/** The benchmarks that lmms-eval and this program are asked. */
export const bridgeBenchmarks: readonly BridgeBenchmark[] = [...choiceBenchmarks, ...answerBenchmarks];
