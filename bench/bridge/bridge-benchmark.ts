/**
 * A benchmark of the bridge: records as lmms-eval's data set has them (`image` is a file's name), the official files
 * that say the same, and lmms-eval's task.
 */
import type { BenchmarkName } from '../../src/evaluation/benchmarks/index.ts';
import type { Scores } from '../../src/evaluation/evaluation-files.ts';
import type { Drawn } from './draws.ts';

export interface Row extends Record<string, unknown> {
  /** The name of a file in the folder of images. */
  image: string;
}

export interface BridgeBenchmark {
  name: BenchmarkName;
  /** lmms-eval's file of the task, below `lmms_eval/tasks`. */
  task: string;
  split: string;
  /** Where lmms-eval has the score of a question, and this program the measure. */
  metric: string | ((row: Row) => string);
  measure: string;
  /** Of all questions, this program's values of lmms-eval's figures, in its units; default: the mean by the metric's name. */
  figures?(scores: Scores): Record<string, number>;
  /** Keys of the task that are set otherwise, and why. */
  changes?: { keys: Record<string, unknown>; why: string };
  /** Where lmms-eval reads answers by another rule than the authors', whose rule is ours. */
  differs?: { how: string; isReadAlike(answer: string, row: Row): boolean };
  rows(drawn: readonly Drawn[]): Row[];
  /** This program's id of a question, by its row and the row's number. */
  idOf(row: Row, number: number, rows: readonly Row[]): string;
  /** Official files by their names, a list being JSON lines where the name ends so; none where rows in Parquet are official. */
  official?(rows: readonly Row[]): Record<string, unknown>;
  /** Where rows in Parquet are official, and rows as JSON lines are not read: another official file that says the same. */
  withoutParquet?(rows: readonly Row[]): Record<string, unknown>;
  /** What `--file` names: an official file, their folder, or the Parquet file. */
  file: string;
}
